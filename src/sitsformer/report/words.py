"""The words of the page that are this project's or its method's own, each in one sentence."""

WORDS = {
    "shots": "labelled samples a class that a method learns from; `few` is the mean over all "
    "numbers of them but `all`.",
    "learner": "who learns crops: the network, by what its weights start from and how it goes on, "
    "or a baseline.",
    "training, validation, test": "samples to learn from; samples that settings are chosen by; "
    "samples on other ground, predicted once, that every score is of.",
    "draw": "one random choice of these labelled samples; every method gets the same draws.",
    "cell": "the predictions of one method, number of shots and draw.",
    "sweep": "all cells: methods × shots × draws.",
    "pretraining": "training the network on series without crop labels, before it sees any.",
    "pretraining run": "pretraining with one random seed; another seed gives another network.",
    "init": "what the weights of the network start from: `none`, or an objective of pretraining.",
    "adaptation": "how the network then learns crops: a regression on what the frozen network says "
    "(`probe`), all weights (`full`), ...",
    "baseline": "a method without pretraining, on the same draws.",
    "control": "a baseline that is also given the land cover which a pretrained network predicts: "
    "it tells whether pretraining gives more than that.",
    "block": "a square of ground (or an area, a year, a polygon: as the config splits) that is "
    "whole in training, validation or test.",
    "macro F1": "the mean over classes of the harmonic mean of user’s accuracy (of what is called "
    "a class, how much is) and producer’s accuracy (of what is, how much was found).",
    "balanced accuracy": "the mean over classes of the share that was found: what validation "
    "goes by.",
    "supported, refuted, undecided": "of a claim: both intervals lie above zero, both lie below, "
    "or one of them holds zero.",
    "interval over draws (over seeds)": "where the mean would lie with other draws "
    "and pretraining runs.",
    "interval over test blocks": "where it would lie on other ground, by drawing the test blocks "
    "again with replacement (bootstrap).",
    "conformal set": "the classes that a prediction cannot rule out at a stated rate of error.",
    "calibration": "whether a probability means what it says: of all predictions with 0.8, eight "
    "in ten are right. Its error is the mean gap.",
    "counted, estimated, carried over": "areas by counting pixels are biased; a random sample of "
    "known ground corrects them, with an interval. Accuracy that is carried over is of test "
    "samples that are no random sample of the map.",
    "C": "of a regression: the smaller, the stronger its penalty on large weights.",
    "refined": "probabilities averaged over similar samples (`smoothing`), weighed by land cover "
    "(`land_cover`) or by what is predicted on the ground around (`nearby`): all are mixed by how "
    "they do on validation samples, and the one named has the largest share.",
    "leakage": "test ground, or its like, seen in training: it makes figures too good.",
}
"""Word -> meaning, in the order of the page."""
