"""The trace schema: one registry, everything else derived from it.

Comes in: `registry/` (ours) and `conventions/` (the few OpenTelemetry names that ours refers to), both in the format
`definition/2` that OpenTelemetry's weaver reads. Goes out: `streamgauge/names.py`, the Markdown reference, the rules
of `streamgauge schema check`, the differences between two versions. Nothing here runs while a stream is observed.

Where what stands in the YAML: the attributes that a metric lists are its whole label set; explicit bucket bounds are
the annotation `buckets`, shared under the name `bucket_set`; `python` is the constant in names.py where it is not
the key in capitals, `enum` the class made of an attribute's members, `values_of` the attribute whose members are the
allowed values, `vocabulary` and `role` say to which setting of the standard names an entry belongs, and what for.

To add a name: put it into the YAML file of its room (or a new one), reference it from the signals that carry it, run
`streamgauge schema generate` and commit both.
"""
