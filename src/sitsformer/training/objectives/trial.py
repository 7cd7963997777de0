from sitsformer.training.objectives.objective import Objective

A = Objective(
    name="cv", title="cv", colour="#d55e0f", marker="o", losses={"cross_view": 2.0, "contrast": 0.3}
)
B = Objective(
    name="cvl",
    title="cvl",
    colour="#d55e01",
    marker="o",
    losses={"cross_view": 2.0, "contrast": 0.3, "sl": 0.5},
)
C = Objective(name="cvo", title="cvo", colour="#d55e02", marker="o", losses={"cross_view": 2.0})
D = Objective(name="co", title="co", colour="#d55e03", marker="o", losses={"contrast": 0.3})
