"""The composition root: settings in, the parts of one function out. Only here have ports names.

Nothing is connected while this runs: functions-framework imports before it forks, so clients and
channels are made on first use. Each function has a module of its own, so that it starts with what
it needs.
"""
