"""Arms of the study of semantic IDs, and of options of the generator's training (methods sections 2 and 3)."""

from models.recipe import Recipe, named
from models.study.arms import Arm
from models.study.prm import EPOCHS

NAME = "tokens"


def arms() -> list[Arm]:
    """Text at 3 × 256 first, then one change each: source, balance, depth, codebook; then the training options."""
    base = named("study").with_training(epochs=EPOCHS, stop=EPOCHS, validate_every=EPOCHS, validation_users=500)
    return [
        Arm("text", base, "first, the softmax arm of the PRM's study"),
        Arm("collaborative", base.with_tokenizer(source="collaborative"), "+.001: the beam gains .003, the scan less"),
        Arm("joined", base.with_tokenizer(source="joined"), "+.002: the best of both"),
        Arm("balanced", base.with_tokenizer(balanced=True), "±.001: HRecall@1 −.02, as each code says more"),
        Arm("depth-4", base.with_tokenizer(depth=4), "−.001: one more place to be lost, and it says little"),
        Arm("codes-512", base.with_tokenizer(codebook=512), "+.001: HRecall@1 −.06, HRecall@3 +.005"),
        *_trained(base),
    ]


def _trained(base: Recipe) -> list[Arm]:
    return [
        Arm("survival", base.with_training(survival=0.5), "±.001 guided, +.001 beam; HRecall@1 +.005"),
        Arm("augment", base.with_training(augment=0.2), "−.001: four epochs are too few to overfit"),
        Arm("averaged", base.with_training(averaged=3), "−.001: the cosine has averaged already"),
    ]
