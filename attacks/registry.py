"""Every attack by its name: what it changes, where it is from and what it is expected to do."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from .attack import Attack
from .backdoors.blended import BlendedBackdoor
from .backdoors.centralised import CentralisedBackdoor
from .backdoors.distributed import DistributedBackdoor, SingleShotBackdoor
from .backdoors.edge_case import EdgeCaseBackdoor
from .backdoors.erased_corner import ErasedCorner
from .backdoors.neurotoxin import Neurotoxin
from .backdoors.stealthy import StealthyBackdoor
from .colluding_updates import (
    ALittleIsEnough,
    AntiMinority,
    InnerProductManipulation,
    Mimic,
    MinMax,
    MinSum,
)
from .false_reports import (
    ColludingReport,
    DeflatedReport,
    HonestReport,
    InfiniteReport,
    InflatedLoss,
    InflatedReport,
    NanReport,
)
from .label_flip import LabelFlip
from .tailored_updates import OptimisedALittleIsEnough, OptimisedInnerProductManipulation
from .untargeted_updates import AdditiveNoise, FreeRider, ModelReplacement, NormBall, SignFlip


@dataclass(frozen=True)
class RegisteredAttack:
    """One attack's entry.

    Attributes
    ----------
    make : type of Attack
        Its parameters are the dataclass's fields.
    source : str
        Where it was published.
    effect : str
        What it is expected to do.
    """

    make: type[Attack]
    source: str
    effect: str

    @property
    def changes(self) -> tuple[str, ...]:
        """Which of data, update and report it changes: the hooks that its class overrides."""
        hooks = {"data": "poison_batch", "update": "poison_update", "report": "falsify_report"}
        return tuple(
            part for part, hook in hooks.items() if getattr(self.make, hook) is not getattr(Attack, hook)
        )

    @property
    def parameters(self) -> dict[str, Any]:
        """Names and defaults of what may stand in the brackets."""
        hidden = {"attacker", "trigger", "edge_cases"}
        shown = [field for field in fields(self.make) if field.name not in hidden]
        return {field.name: field.default for field in shown}


_XIE_2020 = "Xie, Huang, Chen, Li: DBA (ICLR 2020)"
_SHEJWALKAR = "Shejwalkar, Houmansadr: Manipulating the Byzantine (NDSS 2021)"
_TAILORED = _SHEJWALKAR + "; Fang et al. (USENIX Security 2020)"
_HERE = "this project: the paper leaves open that reports may be false"
_FAIRNESS = "this project: who would be served evenly can be aimed at"

ATTACKS: dict[str, RegisteredAttack] = {
    "dba": RegisteredAttack(
        DistributedBackdoor,
        _XIE_2020 + ", multi-shot",
        "images with the whole trigger get the target class, though each attacker stamps a quarter",
    ),
    "dba-single-shot": RegisteredAttack(
        SingleShotBackdoor,
        _XIE_2020 + ", single-shot",
        "replaces a plain average in four rounds, one pattern each; fades with honest training after",
    ),
    "centralised-backdoor": RegisteredAttack(
        CentralisedBackdoor,
        "Bagdasaryan et al.: How to backdoor federated learning (AISTATS 2020), as compared in DBA",
        "as dba, by one client, whose update lies farther from the others",
    ),
    "stealthy-dba": RegisteredAttack(
        StealthyBackdoor,
        "Sun et al.: Can you really backdoor federated learning? (2019); Wang et al. (NeurIPS 2020)",
        "as dba, but passes any bound on the updates' length",
    ),
    "erased-corner": RegisteredAttack(
        ErasedCorner,
        "the code that accompanies the PAwBRoFL paper",
        "favours one class; a backdoor only where the corner is not background already",
    ),
    "label-flip": RegisteredAttack(
        LabelFlip,
        "Biggio, Nelson, Laskov (ICML 2012); Fang et al. (USENIX Security 2020)",
        "lowers accuracy a little, by updates that look like those of odd data",
    ),
    "additive-noise": RegisteredAttack(
        AdditiveNoise,
        "Blanchard et al.: Machine learning with adversaries (NeurIPS 2017)",
        "blurs a plain average, drowns it where strong enough; easy to see",
    ),
    "sign-flip": RegisteredAttack(
        SignFlip,
        "Li et al.: RSA (AAAI 2019)",
        "turns a plain average around where scale times attackers outweighs the rest; easy to see",
    ),
    "model-replacement": RegisteredAttack(
        ModelReplacement,
        "Bagdasaryan et al.: How to backdoor federated learning (AISTATS 2020)",
        "makes what it is combined with replace a plain average; easy to see",
    ),
    "norm-ball": RegisteredAttack(
        NormBall,
        "Sun et al.: Can you really backdoor federated learning? (2019)",
        "hides what it is combined with from bounds on the updates' length",
    ),
    "neurotoxin": RegisteredAttack(
        Neurotoxin,
        "Zhang et al.: Neurotoxin (ICML 2022)",
        "lets the backdoor that it is combined with outlast the attack",
    ),
    "blended": RegisteredAttack(
        BlendedBackdoor,
        "Chen et al.: Targeted backdoor attacks using data poisoning (2017)",
        "inputs with a faint pattern all over them get the target class; nothing in an input stands out",
    ),
    "free-rider": RegisteredAttack(
        FreeRider,
        "Lin, Du, Liu: Free-riders in federated learning (2019)",
        "slows a plain average down; gets the model for nothing",
    ),
    "ipm": RegisteredAttack(
        InnerProductManipulation,
        "Xie, Koyejo, Gupta: Fall of empires (UAI 2019)",
        "slows or reverses training; a small strength hides from distance-based defences",
    ),
    "alie": RegisteredAttack(
        ALittleIsEnough,
        "Baruch, Baruch, Goldberg: A little is enough (NeurIPS 2019)",
        "lowers accuracy from within the honest updates' scatter",
    ),
    "min-max": RegisteredAttack(MinMax, _SHEJWALKAR, "lowers accuracy while no distance stands out"),
    "min-sum": RegisteredAttack(
        MinSum, _SHEJWALKAR, "as min-max, closer to the honest mean, harder to see"
    ),
    "mimic": RegisteredAttack(
        Mimic,
        "Karimireddy, He, Jaggi: Byzantine-robust learning by bucketing (ICLR 2022)",
        "one client counts more than once; harmless where clients' data are alike",
    ),
    "anti-minority": RegisteredAttack(
        AntiMinority,
        _FAIRNESS,
        "keeps a mean from learning what is asked of a minority; harmless where there is none",
    ),
    "opt-alie": RegisteredAttack(
        OptimisedALittleIsEnough,
        _TAILORED,
        "as alie, and knows the defence: no factor that was tried moves its mean further",
    ),
    "opt-ipm": RegisteredAttack(
        OptimisedInnerProductManipulation,
        _TAILORED,
        "as ipm, and knows the defence: no factor that was tried moves its mean further",
    ),
    "honest-report": RegisteredAttack(
        HonestReport, _HERE, "hides the large gap that training on poisoned data closes"
    ),
    "inflated-report": RegisteredAttack(
        InflatedReport, _HERE, "takes over an unbounded tilt where the update gets past the weighting"
    ),
    "inflated-loss": RegisteredAttack(
        InflatedLoss,
        _HERE,
        "as inflated-report; takes over q-FFL, AFL and TERM, which weigh by the loss itself",
    ),
    "deflated-report": RegisteredAttack(DeflatedReport, _HERE, "none for the attacker: it loses weight"),
    "infinite-report": RegisteredAttack(
        InfiniteReport, _HERE, "none: a report that is no finite number is taken as the median"
    ),
    "nan-report": RegisteredAttack(
        NanReport, _HERE, "none, as infinite-report; meant to break the softmax"
    ),
    "colluding-report": RegisteredAttack(
        ColludingReport, _HERE, "the most weight that can be gained without standing out"
    ),
    "edge-case": RegisteredAttack(
        EdgeCaseBackdoor,
        "Wang et al.: Attack of the tails (NeurIPS 2020)",
        "the rarest inputs of a class get the target class, as they are; accuracy hardly shows it",
    ),
}
