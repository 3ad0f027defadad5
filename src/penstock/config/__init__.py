"""What people say outside the code: ``penstock.toml``, profiles, ``PENSTOCK_*`` variables and ``--set``.

It runs where a pipeline is started or examined, never in a worker. Knobs are checked by the tables that check
decorators (``pipeline.knobs``); what comes out is a plan.
"""
