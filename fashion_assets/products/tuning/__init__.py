"""Fine-tuning: the last blocks of picture and text towers, or adapters in them, learn together with attribute heads.

Belongs here: which parameters learn, tensors cached on disk, augmentation, the epochs and their checkpoints, tuned
encoders as folders that the registry loads. Does not: loading and saving networks (``encoders``), heads over ready
vectors (``products.heads``), what an experiment leaves for people to read (``products.experiment_folder``).
"""
