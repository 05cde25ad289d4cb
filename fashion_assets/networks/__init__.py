"""Where networks come from and what they run on: the hub's cache, files on disk, devices, ONNX sessions.

Belongs here: what encoders and segmenters share before the first item arrives. Does not belong here: what goes into
a network and what comes out.
"""
