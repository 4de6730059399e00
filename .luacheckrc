std = "lua54"
max_line_length = 100
include_files = { "**/*.lua", ".busted", ".luacheckrc", "**/*.rockspec" }
exclude_files = { "build", "build.luarocks" }
files["spec"] = { std = "+busted" }
files["**/*.rockspec"] = { std = "rockspec" }
files[".busted"] = { ignore = { "131" } }
