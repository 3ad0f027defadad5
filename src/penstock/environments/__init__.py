"""Where a stage runs: what ``[envs.NAME]`` asks for, what ``penstock.lock`` pins, what is built of that.

It runs where environments are locked, built and chosen: in the command line and in the supervisor, never in a
worker. It knows neither; of ``pipeline`` it knows only how places and near names are told.
"""
