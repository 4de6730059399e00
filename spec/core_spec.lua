local mp = require "mp"

describe("mp", function()
  it("names its version", function()
    assert.matches("^mp %d+%.%d+", mp._VERSION)
  end)
end)
