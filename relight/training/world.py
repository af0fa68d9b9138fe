"""The processes that train together: one, or several that torch.distributed joins (gloo on CPUs, NCCL on GPUs)."""

from __future__ import annotations

import dataclasses

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from assets.errors import SpecError

# Frozen parameters (a prior under its LoRA, a VAE) are the prior's own and never change.
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True, strict=False)
_FROM_FIRST = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True, ignore_frozen_params=True, strict=False)


@dataclasses.dataclass(frozen=True)
class World:
    """Where this process stands among those that train."""

    rank: int = 0
    """Number of this process."""
    size: int = 1
    """How many there are."""
    device: torch.device = torch.device("cpu")
    """What this one computes on."""

    @classmethod
    def here(cls) -> World:
        """As torch.distributed says, where it has been started."""
        device = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
        if not dist.is_initialized():
            return cls(device=device)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def wrap(self, module: torch.nn.Module, how: str) -> torch.nn.Module:
        """``ddp``: every process holds all weights. ``fsdp``: each holds its part of every parameter."""
        if self.size == 1:
            return module
        if how == "ddp":
            return torch.nn.parallel.DistributedDataParallel(module)
        if how == "fsdp":
            from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

            module = fully_shard(module)
            for name in ("losses", "sample"):  # validation calls these, which need whole weights as forward does
                register_fsdp_forward_method(module, name)
            return module
        raise SpecError(f"parallel: {how!r} is not one of ddp, fsdp")

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean over processes of a number that each has."""
        if self.size > 1:
            value = value.clone()
            dist.all_reduce(value)
            value /= self.size
        return value

    def any(self, flag: bool) -> bool:
        """Whether any process says so; every process must ask."""
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0)


def whole_weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Trained parameters and buffers, whole, on the CPU of the first process; where sharded, nothing elsewhere."""
    # Copies: on a CPU these would be the parameters themselves, which the next step changes.
    return {name: value.clone() for name, value in get_model_state_dict(module, options=_WHOLE).items()}


def load_weights(module: torch.nn.Module, weights: dict[str, torch.Tensor], world: World) -> None:
    """Put whole weights back, each process its part."""
    set_model_state_dict(module, weights, options=_WHOLE if world.size == 1 else _FROM_FIRST)


def whole_moments(module: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Adam's state by parameter and kind (``layer.weight/exp_avg``), whole."""
    state = get_optimizer_state_dict(module, optimizer, options=_WHOLE).get("state", {})
    return {f"{name}/{kind}": torch.as_tensor(value) for name, kinds in state.items() for kind, value in kinds.items()}


def load_moments(module: torch.nn.Module, optimizer: torch.optim.Optimizer, moments: dict[str, torch.Tensor],
                 world: World) -> None:
    """Put Adam's state back; its settings (learning rate...) stay what they are now."""
    state: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in moments.items():
        name, _, kind = key.rpartition("/")
        state.setdefault(name, {})[kind] = value
    groups = get_optimizer_state_dict(module, optimizer, options=_WHOLE).get("param_groups")
    set_optimizer_state_dict(module, optimizer, {"state": state, "param_groups": groups} if groups else {},
                             options=_WHOLE if world.size == 1 else _FROM_FIRST)
