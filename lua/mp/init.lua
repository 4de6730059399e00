local core = require "mp.core"

return { _VERSION = core._VERSION }
