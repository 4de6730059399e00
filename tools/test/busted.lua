-- busted under the interpreter that runs this, whatever its own script names.
require "busted.runner" { standalone = false }
