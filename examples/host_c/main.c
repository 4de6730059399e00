/* The runtime without Lua: processes, a queue, a lock, a pool.
 *
 *     cmake -S . -B build -DCMAKE_PREFIX_PATH=PREFIX && cmake --build build
 *     build/host_c
 *
 * prints: 4 processes wrote 400 messages, and a killed one let go of the lock
 *         the pool's squares add up to 333833500 */
#include <mpr.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { PROCESSES = 4, EACH = 100, TASKS = 1000 };

static int check(int err, const char *what)
{
    if (err < 0) {
        fprintf(stderr, "%s: %s\n", what, mpr_err_text(err));
        exit(1);
    }
    return err;
}

/* A child: its share of the messages. */
static void produce(mpr_queue *q, int who)
{
    for (int i = 0; i < EACH; i++) {
        int pair[2] = {who, i};
        struct mpr_parcel parcel = {.bytes = pair, .size = sizeof pair};

        check(mpr_queue_put(q, &parcel, MPR_FOREVER), "put");
    }
}

/* What each producer puts comes in order, whole, and once. */
static int consume(mpr_queue *q)
{
    struct mpr_message m = {0};
    int next[PROCESSES] = {0};
    int count = 0;

    while (count < PROCESSES * EACH) {
        int pair[2];

        check(mpr_queue_get(q, &m, mpr_after(30)), "get");
        memcpy(pair, m.bytes, sizeof pair);
        if (next[pair[0]]++ != pair[1])
            check(-EBADMSG, "order");
        count++;
    }
    mpr_message_free(&m);
    return count;
}

static int processes_and_queue(void)
{
    mpr_process child[PROCESSES];
    mpr_queue q;
    int count;

    check(mpr_queue_create(&q, 0, 0, "messages"), "queue");
    for (int i = 0; i < PROCESSES; i++) {
        struct mpr_process_options options = {.name = "producer"};

        if (check(mpr_process_fork(&child[i], &options), "fork") ==
            MPR_IN_CHILD) {
            produce(&q, i);
            mpr_process_exit(&child[i], 0);
        }
    }
    count = consume(&q);
    for (int i = 0; i < PROCESSES; i++) {
        int code;

        check(mpr_process_join(&child[i], mpr_after(30)), "join");
        check(mpr_process_exit_code(&child[i], &code), "exit code");
        if (code != 0)
            check(-ECANCELED, "producer");
        mpr_process_close(&child[i]);
    }
    mpr_handle_close(&q.h);
    return count;
}

/* A child takes a lock and is killed with it. Whoever acquires it next does not
 * wait in vain, and is told. */
static void lock_outlives_its_owner(void)
{
    struct mpr_process_options options = {.name = "owner"};
    mpr_process owner;
    mpr_lock lock;
    mpr_event taken;
    uint32_t actor;

    check(mpr_actor_new(&actor), "actor");
    check(mpr_lock_create(&lock, "till"), "lock");
    check(mpr_event_create(&taken, NULL), "event");
    if (check(mpr_process_fork(&owner, &options), "fork") == MPR_IN_CHILD) {
        check(mpr_lock_acquire(&lock, actor, MPR_FOREVER), "acquire");
        mpr_event_set(&taken);
        mpr_sleep(MPR_FOREVER);
        mpr_process_exit(&owner, 1);
    }
    check(mpr_event_wait(&taken, mpr_after(30)), "wait");
    mpr_process_signal(&owner, SIGKILL);
    if (mpr_lock_acquire(&lock, actor, mpr_after(30)) != -EOWNERDEAD)
        check(-EDEADLK, "the lock of a dead process");
    check(mpr_lock_release(&lock, actor), "release");
    check(mpr_process_join(&owner, mpr_after(30)), "join");
    mpr_process_close(&owner);
    mpr_handle_close(&taken.h);
    mpr_handle_close(&lock.h);
    mpr_actor_free(actor);
}

/* In a worker. */
static int square(void *ud, mpr_worker *w, const struct mpr_task *t)
{
    int64_t n = t->integer * t->integer;
    struct mpr_parcel parcel = {.bytes = &n, .size = sizeof n};

    (void)ud;
    return mpr_worker_give(w, 0, 0, &parcel);
}

static int64_t pool_of_squares(void)
{
    struct mpr_pool_options pool_options = {.workers = 2, .name = "squares"};
    struct mpr_job_options job_options = {
        .tasks = MPR_TASKS_RANGE,
        .room = TASKS,
        .first = 1,
        .step = 1,
    };
    struct mpr_result result;
    mpr_pool pool;
    mpr_job job;
    int64_t sum = 0;

    check(mpr_pool_create(&pool, &pool_options), "pool");
    check(mpr_pool_start(&pool, square, NULL), "workers");
    check(mpr_job_create(&job, &pool, &job_options), "job");
    check(mpr_job_publish(&job), "publish");
    for (uint32_t i = 0; i < TASKS; i++) {
        int64_t n;

        while (mpr_job_wait(&job, i, 0, mpr_after(0.05)) != 1)
            mpr_pool_tend(&pool); /* replaces workers that died */
        if (mpr_job_result(&job, i, &result) != MPR_RESULT_DONE)
            check(-ECANCELED, "result");
        memcpy(&n, result.bytes, sizeof n);
        sum += n;
    }
    mpr_job_close(&job);
    mpr_pool_shut(&pool, MPR_POOL_CLOSE);
    check(mpr_pool_join(&pool, mpr_after(30)), "workers' end");
    mpr_pool_close(&pool);
    return sum;
}

int main(void)
{
    int count = processes_and_queue();

    lock_outlives_its_owner();
    printf("%d processes wrote %d messages, and a killed one let go of the "
           "lock\n",
           PROCESSES, count);
    printf("the pool's squares add up to %lld\n", (long long)pool_of_squares());
    mpr_leave();
    return 0;
}
