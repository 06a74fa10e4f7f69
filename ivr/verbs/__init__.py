"""The verbs of a flow, one file each: `enter`, done on entering the state, and `ROWS`, its part of the table."""
