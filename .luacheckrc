std = "lua54"
max_line_length = 100
include_files = { "**/*.lua", ".busted", ".luacheckrc", "**/*.rockspec" }
exclude_files = { "build", "build.luarocks" }
files["docs/reference/source"] = { ignore = { "" } } -- declarations for tools/reference
files["library"] = { ignore = { "" } } -- made of them
files["spec"] = { std = "+busted" }
files["**/*.rockspec"] = { std = "rockspec" }
files[".busted"] = { ignore = { "131" } }
