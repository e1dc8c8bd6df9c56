"""Optuna studies in a database: opened, resumed, and shared by several processes."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from edge_ptf.credentials import masked, masked_url
from edge_ptf.errors import EnvironmentFault, MissingExtraError

HEARTBEAT_S = 60
"""A process reports so often that its trial goes on. Another one takes up the trial after twice as long without it."""
AGAIN = "again"


def quiet_optuna(what: str) -> Any:
    """The library, without its own messages.

    Args:
        what: needs it, such as "the search".

    Raises:
        MissingExtraError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("optuna", "search", what) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # heartbeats, since 2021
    return optuna


def open_study(url: str, name: str, **options: Any) -> Any:
    """The study of that name on a storage, made where it is not there.

    Args:
        url: of the storage, as SQLAlchemy knows it.
        options: directions, sampler and pruner.

    Raises:
        EnvironmentFault: the storage cannot be used.
    """
    import optuna

    try:
        storage = optuna.storages.RDBStorage(url, heartbeat_interval=HEARTBEAT_S, grace_period=2 * HEARTBEAT_S)
        return optuna.create_study(study_name=name, storage=storage, load_if_exists=True, **options)
    except Exception as error:  # SQLAlchemy, its driver and Optuna each have errors of their own
        shown = masked_url(url)
        reason = str(error).replace(url, shown).splitlines()[0] if str(error) else type(error).__name__
        raise EnvironmentFault(
            f"storage {shown}: cannot be used ({masked(reason)})",
            hint="Give a URL that SQLAlchemy knows, such as sqlite:///search.db; its driver must be installed",
        ) from None  # the error below may hold the password


def take_up(study: Any) -> None:
    """Proposes interrupted trials again: their training resumes."""
    import optuna

    optuna.storages.fail_stale_trials(study)
    known = {trial.user_attrs.get(AGAIN) for trial in study.get_trials(deepcopy=False)}
    for trial in study.get_trials(deepcopy=False):
        if trial.state == optuna.trial.TrialState.FAIL and trial.params and trial.number not in known:
            study.enqueue_trial(trial.params, user_attrs={**trial.user_attrs, AGAIN: trial.number})
