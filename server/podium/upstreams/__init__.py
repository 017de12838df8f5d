"""Adapter to the MCP servers that Podium calls; `pool.UpstreamPool` satisfies the `Upstreams` port.

From the outside in: `pool` knows the upstreams by name, `upstream` is one of them over time
(started on demand, watched, restarted), `connection` is one of its lives (its `era` negotiated, its
tools read by `definitions`, its answers by `results`), and `stdio` or `http` carries the messages.
`catalog` finds tools by words. Only `sdk` touches the SDK's lower layers, which may change.

Whatever an upstream does wrong costs that call, or that upstream, and is said in a typed error;
the others never notice.
"""
