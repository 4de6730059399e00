# Writes the Lua half as C arrays: the list of lua/core/open.c.
#   cmake -D ROOT=lua -D FILES=mp/init.lua,mp/pool.lua -D OUTPUT=x.c -P embed.cmake

string(REPLACE "," ";" files "${FILES}")
set(arrays "")
set(entries "")
set(index 0)

foreach(file IN LISTS files)
  # mp/init.lua is the module mp, mp/pool.lua is mp.pool.
  string(REGEX REPLACE "(/init)?\\.lua$" "" module ${file})
  string(REPLACE "/" "." module ${module})

  file(READ ${ROOT}/${file} hex HEX)
  string(LENGTH "${hex}" size)
  math(EXPR size "${size} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "((0x..,)(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?(0x..,)?)"
         "\\1\n    " bytes "${bytes}")

  # One zero more, so that an empty file is an array too.
  string(APPEND arrays
    "static const unsigned char KEEP_APART file${index}[] = {\n    ${bytes}0,\n};\n\n")
  string(APPEND entries
    "    {\"${module}\", \"@${file}\", (const char *)file${index}, ${size}},\n")
  math(EXPR index "${index} + 1")
endforeach()

file(WRITE ${OUTPUT}
"/* Made by tools/embed.cmake from lua/mp; changes here are lost. */
#include \"embedded.h\"

/* Apart from what is read all the time: a fault maps a file's pages around it,
 * and each process counts them as its own. */
#define KEEP_APART __attribute__((section(\".lua_half\")))

${arrays}const struct mpl_embedded mpl_embedded[] = {
${entries}    {0, 0, 0, 0},
};
")
