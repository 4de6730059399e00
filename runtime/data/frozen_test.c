/* Frozen tables: what is put in is found again; an image that somebody wrote
 * over is read without harm; a maker killed at every test point. */

#include "life/block.h"
#include "mpr.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEMS = 100, TEXTS = 1000 };

static const struct mpr_process_options plain = {.name = "child"};

static struct mpr_item integer(int64_t i)
{
    return (struct mpr_item){.type = MPR_ITEM_INTEGER, .n.i = i};
}

static struct mpr_item text(const char *s)
{
    return (struct mpr_item){
        .type = MPR_ITEM_TEXT, .text = s, .size = strlen(s)};
}

static struct mpr_item at(enum mpr_item_type type, uint64_t place)
{
    return (struct mpr_item){.type = type, .n.u = place};
}

/* A table of ITEMS integers and an entry per text, each holding its number;
 * and, under true, itself. */
static void make(mpr_frozen *f)
{
    struct mpr_frozen_shape shape = {
        .items = ITEMS,
        .entries = TEXTS + 1,
        .uniform = MPR_ITEM_INTEGER,
    };
    uint64_t size = MPR_FROZEN_START + mpr_frozen_table_size(&shape);
    uint64_t table = MPR_FROZEN_START, place = size;
    struct mpr_item key, value;
    char name[32];

    for (int i = 0; i < TEXTS; i++) {
        snprintf(name, sizeof name, "key%d", i);
        size += mpr_frozen_text_size(strlen(name));
    }
    assert(mpr_frozen_create(f, size, "made by a test") == 0);
    mpr_frozen_put_table(f, table, &shape);
    for (uint64_t i = 0; i < ITEMS; i++) {
        value = integer((int64_t)i * 10);
        assert(mpr_frozen_put_item(f, table, i, &value) == 0);
    }
    value = at(MPR_ITEM_BOOLEAN, 1);
    assert(mpr_frozen_put_item(f, table, 0, &value) == -EINVAL);
    value = integer(1);
    assert(mpr_frozen_put_item(f, table, ITEMS, &value) == -EINVAL);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(name, sizeof name, "key%d", i);
        mpr_frozen_put_text(f, place, name, strlen(name));
        key = at(MPR_ITEM_TEXT, place);
        value = integer(i);
        assert(mpr_frozen_put_entry(f, table, &key, &value) == 0);
        place += mpr_frozen_text_size(strlen(name));
    }
    key = at(MPR_ITEM_BOOLEAN, 1);
    value = at(MPR_ITEM_TABLE, table);
    assert(mpr_frozen_put_entry(f, table, &key, &value) == 0);
    assert(mpr_frozen_put_entry(f, table, &key, &value) == -EINVAL);
    mpr_frozen_seal(f, table);
}

static void lookups(void)
{
    struct mpr_item key, value;
    char name[32];
    mpr_frozen f;

    make(&f);
    assert(mpr_frozen_length(&f, f.root) == ITEMS);
    assert(mpr_frozen_count(&f, f.root) == ITEMS + TEXTS + 1);
    for (int64_t i = 1; i <= ITEMS; i++) {
        assert(mpr_frozen_at(&f, f.root, i, &value) == 1);
        assert(value.type == MPR_ITEM_INTEGER && value.n.i == (i - 1) * 10);
    }
    assert(mpr_frozen_at(&f, f.root, 0, &value) == 0);
    assert(value.type == MPR_ITEM_NIL);
    assert(mpr_frozen_at(&f, f.root, ITEMS + 1, &value) == 0);
    assert(mpr_frozen_at(&f, f.root, INT64_MIN, &value) == 0);
    for (int i = 0; i < TEXTS; i++) {
        snprintf(name, sizeof name, "key%d", i);
        key = text(name);
        assert(mpr_frozen_get(&f, f.root, &key, &value) == 1);
        assert(value.n.i == i);
        assert(mpr_frozen_pair(&f, f.root, (uint64_t)(ITEMS + i), &key,
                               &value) == 1);
        assert(key.size == strlen(name) &&
               memcmp(key.text, name, key.size) == 0);
    }
    key = text("key");
    assert(mpr_frozen_get(&f, f.root, &key, &value) == 0);
    key = text("");
    assert(mpr_frozen_get(&f, f.root, &key, &value) == 0);
    key = at(MPR_ITEM_BOOLEAN, 0);
    assert(mpr_frozen_get(&f, f.root, &key, &value) == 0);
    key = at(MPR_ITEM_BOOLEAN, 1);
    assert(mpr_frozen_get(&f, f.root, &key, &value) == 1);
    assert(value.type == MPR_ITEM_TABLE && value.n.u == f.root);
    assert(mpr_frozen_pair(&f, f.root, ITEMS + TEXTS + 1, &key, &value) == 0);
    assert(strcmp(mpr_handle_label(&f.h), "made by a test") == 0);
    mpr_handle_close(&f.h);
}

/* Reads all of it, following what it finds a few levels down. */
static uint64_t read_all(const mpr_frozen *f, uint64_t table, int depth)
{
    struct mpr_item key, value;
    uint64_t sum = 0;

    for (uint64_t i = 0; mpr_frozen_pair(f, table, i, &key, &value); i++) {
        if (key.type == MPR_ITEM_TEXT && key.size)
            sum += (uint8_t)key.text[key.size - 1];
        if (value.type == MPR_ITEM_TABLE && depth > 0)
            sum += read_all(f, value.n.u, depth - 1);
        sum += (uint64_t)mpr_frozen_get(f, table, &key, &value);
    }
    return sum;
}

/* Bytes flipped at random: whatever is found, nothing outside is touched. */
static void overwritten(void)
{
    unsigned seed = 12345;
    mpr_frozen f;
    char *image, *copy;

    make(&f);
    image = mpri_data(&f.h);
    copy = malloc(f.size);
    memcpy(copy, image, f.size);
    for (int round = 0; round < 3000; round++) {
        for (int i = 0; i < 4; i++)
            /* behind the block's own head, the first bytes more often */
            image[MPR_FROZEN_START +
                  (size_t)rand_r(&seed) %
                      (rand_r(&seed) % 2 ? 40 : f.size - MPR_FROZEN_START)] =
                (char)rand_r(&seed);
        read_all(&f, f.root, 1);
        memcpy(image, copy, f.size);
    }
    assert(read_all(&f, f.root, 1) > 0);
    free(copy);
    mpr_handle_close(&f.h);
}

static void parts(void)
{
    mpr_frozen f, part, again;
    mpr_handle h;
    struct mpr_item value;

    make(&f);
    assert(mpr_frozen_part(&f, f.root, &part) == 0);
    mpr_handle_close(&f.h); /* the part keeps the image */
    assert(mpr_frozen_part(&part, part.root, &again) == 0);
    mpr_handle_close(&part.h);
    assert(mpr_handle_dup(&again.h, &h) == 0);
    mpr_handle_close(&again.h);
    mpr_frozen_attach(&f, &h);
    assert(mpr_frozen_at(&f, f.root, 2, &value) == 1 && value.n.i == 10);
    mpr_handle_close(&f.h);
}

static void killed(void)
{
    for (uint32_t nth = 1;; nth++) {
        mpr_process p;
        int code;

        if (mpr_process_fork(&p, &plain) == MPR_IN_CHILD) {
            mpr_frozen f, part;

            mpr_testpoint_arm("*", nth, SIGKILL);
            make(&f);
            assert(mpr_frozen_part(&f, f.root, &part) == 0);
            mpr_handle_close(&f.h);
            mpr_handle_close(&part.h);
            mpr_process_exit(&p, 0);
        }
        assert(mpr_process_join(&p, mpr_after(60)) == 0);
        assert(mpr_process_exit_code(&p, &code) == 0);
        mpr_process_close(&p);
        assert(mpr_check() == 0);
        if (code == 0) {
            printf("%u test points\n", nth - 1);
            break;
        }
        assert(code == -SIGKILL);
    }
}

int main(void)
{
    struct mpr_stats before, after;
    mpr_frozen f;

    assert(mpr_stats(&before) == 0);
    lookups();
    overwritten();
    parts();
    killed();
    assert(mpr_frozen_create(&f, UINT64_MAX / 2, NULL) == -ENOMEM);
    assert(mpr_stats(&after) == 0);
    assert(memcmp(before.objects, after.objects, sizeof before.objects) == 0);
    assert(after.holds == before.holds);
    return 0;
}
