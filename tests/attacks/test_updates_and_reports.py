"""What single attacks send: the formulas of their papers, and the constraints they keep."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from attacks import CombinedAttack, Knowledge, make_attack
from attacks.backdoors.distributed import DistributedBackdoor, SingleShotBackdoor
from attacks.backdoors.erased_corner import ErasedCorner
from attacks.backdoors.stealthy import StealthyBackdoor
from attacks.colluding_updates import ALittleIsEnough, InnerProductManipulation, Mimic, MinMax, MinSum
from attacks.false_reports import InflatedReport
from attacks.label_flip import LabelFlip
from attacks.untargeted_updates import AdditiveNoise, ModelReplacement, NormBall, SignFlip
from attacks.update_vectors import as_vector, in_form_of, known_updates
from attacks.vectors import DIRECTIONS, Vector, anti_minority, hidden_deviations

from .conftest import MakeKnowledge


def sent(attack: object, knowledge: Knowledge) -> Vector:
    return as_vector(attack.poison_update(knowledge.own_honest_training().update, knowledge))  # type: ignore[attr-defined]


def test_vectors_go_back_into_their_form_with_counters_untouched(make_knowledge: MakeKnowledge) -> None:
    update = make_knowledge().own_honest_training().update
    vector = as_vector(update)
    assert vector.shape == (27,)
    back = in_form_of(vector, update)
    for once, again in zip(update, back, strict=True):
        np.testing.assert_array_equal(once, again)
    assert np.isfinite(as_vector(in_form_of(vector * 1e300, update))).all()


def test_sign_flip_inner_product_and_mimic_are_what_they_say(make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge(attacker=1)
    known = known_updates(knowledge)
    np.testing.assert_allclose(sent(SignFlip(scale=2.0), knowledge), -2 * known[1], rtol=1e-6)
    expected = -0.5 * known.mean(axis=0)
    np.testing.assert_allclose(sent(InnerProductManipulation(), knowledge), expected, rtol=1e-5)
    np.testing.assert_array_equal(sent(Mimic(victim=2), knowledge), known[2])


@pytest.mark.parametrize("size", [1, 4, 7])
def test_anti_minority_takes_the_minority_out_of_the_mean(size: int) -> None:
    random = np.random.default_rng(size)
    known = random.normal(scale=0.1, size=(16, 30))
    known[:, 0] += 1.0
    minority = random.permutation(16)[:size]
    known[minority, 1] += 3.0
    one = anti_minority(known)
    assert one[0] == pytest.approx(1.0, abs=0.3)
    assert one[1] == pytest.approx(-3.0, abs=0.3)
    np.testing.assert_allclose(anti_minority(known[::-1]), one, rtol=0, atol=1e-9)
    everyone = np.concatenate([known, np.tile(one, (size, 1))])
    assert abs(everyone[:, 1].mean()) < 0.1
    np.testing.assert_array_equal(anti_minority(known[:1]), known[0])


def test_all_of_a_coalition_send_the_same(make_knowledge: MakeKnowledge) -> None:
    for attack in (InnerProductManipulation(), ALittleIsEnough(), MinMax(), MinSum(), Mimic()):
        one, other = (sent(attack, make_knowledge(attacker=attacker)) for attacker in (0, 3))
        np.testing.assert_array_equal(one, other)


def test_noise_has_the_expected_length_and_is_each_attacker_s_own() -> None:
    update = [np.ones(4000, dtype=np.float32)]

    def noise(attacker: int) -> Vector:
        knowledge = Knowledge(
            1,
            attacker,
            2,
            9,
            np.random.default_rng(attacker),
            lambda: None,
            lambda: [],  # type: ignore[arg-type,return-value]
        )
        return as_vector(AdditiveNoise(strength=3.0).poison_update(update, knowledge)) - 1

    assert np.linalg.norm(noise(0)) == pytest.approx(3 * math.sqrt(4000), rel=0.05)
    assert abs(np.corrcoef(noise(0), noise(1))[0, 1]) < 0.1


def test_a_little_is_enough_moves_by_z_deviations(make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge()
    known = known_updates(knowledge)
    moved = (known.mean(axis=0) - sent(ALittleIsEnough(z=1.5), knowledge)) / known.std(axis=0)
    np.testing.assert_allclose(moved, 1.5, rtol=1e-4)


@pytest.mark.parametrize(
    ("clients", "attackers", "z"),
    [(50, 12, 0.3360), (20, 8, 0.6745), (20, 4, 0.1573), (20, 1, 0.1), (9, 4, 0.8416)],
)
def test_z_is_the_quantile_that_leaves_enough_honest_clients_beyond(
    clients: int, attackers: int, z: float
) -> None:
    assert hidden_deviations(clients, attackers) == pytest.approx(z, abs=1e-4)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_min_max_is_as_far_from_some_update_as_two_of_them_are(
    direction: str, make_knowledge: MakeKnowledge
) -> None:
    knowledge = make_knowledge()
    known = known_updates(knowledge)
    farthest = max(float(np.linalg.norm(a - b)) for a in known for b in known)
    distances = np.linalg.norm(known - sent(MinMax(direction=direction), knowledge), axis=1)
    assert distances.max() == pytest.approx(farthest, rel=1e-5)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_min_sum_has_the_largest_sum_of_squared_distances_that_an_update_has(
    direction: str, make_knowledge: MakeKnowledge
) -> None:
    knowledge = make_knowledge()
    known = known_updates(knowledge)
    largest = max(float(np.square(known - one).sum()) for one in known)
    malicious = sent(MinSum(direction=direction), knowledge)
    assert float(np.square(known - malicious).sum()) == pytest.approx(largest, rel=1e-5)


def test_with_one_known_update_there_is_nothing_to_hide_in(make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge(num_attackers=1)
    for attack in (MinMax(), MinSum(), ALittleIsEnough()):
        np.testing.assert_allclose(sent(attack, knowledge), known_updates(knowledge)[0], rtol=1e-6)


def test_model_replacement_and_single_shot_replace_an_average(make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge(num_attackers=4, num_clients=20)
    honest = known_updates(knowledge)[0]
    np.testing.assert_allclose(sent(ModelReplacement(), knowledge), 5 * honest, rtol=1e-6)
    # Two of eight attackers share a pattern and a round.
    knowledge = make_knowledge(num_attackers=8, num_clients=20)
    np.testing.assert_allclose(sent(SingleShotBackdoor(attacker=0), knowledge), 10 * honest, rtol=1e-6)


@pytest.mark.parametrize("attacker", range(6))
def test_single_shot_attackers_attack_in_one_round_pattern_by_pattern(attacker: int) -> None:
    attack = SingleShotBackdoor(attacker=attacker, first_round=5)
    assert [n for n in range(1, 20) if attack.active(n)] == [5 + attacker % 4]


def test_stealthy_updates_are_no_longer_than_usual(make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge()
    usual = float(np.median(np.linalg.norm(known_updates(knowledge), axis=1)))
    stealthy = sent(StealthyBackdoor(attacker=0, scale=50.0, radius=0.5), knowledge)
    assert np.linalg.norm(stealthy) == pytest.approx(0.5 * usual, rel=1e-5)
    combined = CombinedAttack(
        attacks=(DistributedBackdoor(attacker=0, scale=50.0), NormBall(radius=0.5))
    )
    np.testing.assert_allclose(sent(combined, knowledge), stealthy, rtol=1e-6)


def test_only_the_stamping_clients_of_a_centralised_backdoor_attack() -> None:
    attacks = [
        make_attack("centralised-backdoor(stamping=2)", {"attacker": attacker}) for attacker in range(4)
    ]
    assert [attack.active(1) for attack in attacks] == [True, True, False, False]
    images, _ = attacks[0].poison_batch(torch.zeros(1, 1, 28, 28), torch.tensor([1]))
    assert int(images.sum()) == 16, "all four bars"


def test_the_corner_is_erased_on_all_data() -> None:
    images, labels = ErasedCorner(goal=3).poison_batch(torch.ones(2, 1, 28, 28), torch.tensor([1, 2]))
    assert labels.tolist() == [3, 3]
    assert int((images == 0).sum()) == 2 * 25
    assert not images[..., :5, :5].any()


def test_flipped_labels_flip_back() -> None:
    labels = torch.arange(10)
    _, flipped = LabelFlip().poison_batch(torch.zeros(10, 1), labels)
    assert flipped.tolist() == list(range(9, -1, -1))


@pytest.mark.parametrize(
    ("attack", "gap"),
    [
        ("honest-report", 0.2),
        ("inflated-report", 30.0),
        ("inflated-report(factor=2, offset=1)", 1.6),
        ("inflated-loss(factor=1)", 0.3),
        ("deflated-report", 0.0),
        ("deflated-report(factor=-1)", -0.3),
        ("infinite-report", math.inf),
        ("colluding-report", 0.4),
        ("free-rider", 0.0),
    ],
)
def test_reported_gaps(attack: str, gap: float, make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge(attacker=1)
    poisoned = knowledge.honest_trainings()[2].report
    reported = make_attack(attack, {}).falsify_report(poisoned, knowledge)
    assert reported.loss_gap == pytest.approx(gap)
    assert reported.num_examples == 20


@pytest.mark.parametrize(
    ("attack", "gap"), [("inflated-report(factor=3)", 0.6), ("deflated-report(factor=0.5)", 0.1)]
)
def test_a_gap_below_0_is_inflated_or_deflated_as_if_it_were_above(
    attack: str, gap: float, make_knowledge: MakeKnowledge
) -> None:
    """Else an inflated one would be smaller than the honest one that it is made of."""
    knowledge = make_knowledge()
    report = replace(knowledge.own_honest_training().report, loss_gap=-0.2)
    assert make_attack(attack, {}).falsify_report(report, knowledge).loss_gap == pytest.approx(gap)


def test_an_inflated_loss_takes_the_gap_with_it(make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge(attacker=1)
    report = replace(knowledge.own_honest_training().report, loss_before=2.0, loss_after=0.5)
    falsified = make_attack("inflated-loss(factor=10)", {}).falsify_report(
        replace(report, loss_gap=1.5), knowledge
    )
    assert falsified == replace(report, loss_before=20.0, loss_gap=19.5)
    unchanged = make_attack("inflated-report", {}).falsify_report(report, knowledge)
    assert unchanged.loss_before == 2.0


def test_nan_is_reported(make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge()
    report = make_attack("nan-report", {}).falsify_report(
        knowledge.own_honest_training().report, knowledge
    )
    assert math.isnan(report.loss_gap)


def test_combined_attacks_keep_their_own_rounds() -> None:
    combined = CombinedAttack(
        attacks=(SignFlip(first_round=2), InflatedReport(first_round=3, last_round=3))
    )
    assert combined.in_round(1) is None
    two, three = combined.in_round(2), combined.in_round(3)
    assert isinstance(two, CombinedAttack)
    assert isinstance(three, CombinedAttack)
    assert [len(two.attacks), len(three.attacks)] == [1, 2]
