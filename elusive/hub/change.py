"""What is to change on the Hub so that it holds the content of a folder, and the change, in one commit.

New parts, parts that are there no more and the card change together, so that no reader meets a mixture; equal files are
not sent again, and files of others are left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from elusive.data.card_merge import MergedCard, merge_cards
from elusive.errors import HubError, InputError
from elusive.hub.client import HubClient, RemoteState
from elusive.hub.content import CARD, Content
from elusive.hub.target import card_there, check_target

# Files go to storage in batches: some at once for speed, few enough that a bar moves and Ctrl-C need not wait.
_BATCH_BYTES: Final = 16 * 2**20


@dataclass(frozen=True, kw_only=True)
class PushPlan:
    """What a push would change.

    Attributes:
        url: the repository's page.
        what: is pushed: a dataset, an adapter, a model or a retriever.
        load_with: how it is loaded from there.
        creates: whether the repository is to be made.
        upload: bytes of each file that is new or differs, by its path.
        unchanged: files that the Hub has already.
        delete: parts on the Hub that the folder has not.
        kept: what of the Hub's card is kept although the folder's has it otherwise, in words.
    """

    url: str
    what: str
    load_with: str
    creates: bool
    upload: dict[str, int]
    unchanged: tuple[str, ...]
    delete: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes to send."""
        return sum(self.upload.values())


@dataclass(frozen=True, kw_only=True)
class Pushed(PushPlan):
    """What a push changed.

    Attributes:
        commit: the head of the repository afterwards; made by this push unless nothing was to be changed.
    """

    commit: str


@dataclass(frozen=True)
class Change:
    """From the state of the Hub to the state of the folder."""

    client: HubClient
    content: Content
    state: RemoteState | None
    card: MergedCard
    plan: PushPlan

    @classmethod
    def between(cls, content: Content, client: HubClient, *, private: bool) -> "Change":
        """Compare the folder with the Hub as it is now; reads only."""
        state = client.state()
        theirs = card_there(client, state)
        check_target(client, state, theirs, layout=content.layout, private=private)
        there = state.files if state else {}
        card = _card(client, content, theirs)
        sizes = dict(content.sizes)
        upload = {name: size for name, size in sizes.items() if not _is_there(content, name, there)}
        if card.text != theirs:
            upload[CARD] = len(card.text.encode())
        plan = PushPlan(
            url=client.url,
            what=content.what,
            load_with=content.load_with(client.repo),
            creates=state is None,
            upload=upload,
            unchanged=tuple(name for name in [*sizes, CARD] if name not in upload),
            delete=tuple(sorted(name for name in there if content.layout.is_part(name) and name not in sizes)),
            kept=card.kept,
        )
        return cls(client, content, state, card, plan)

    def carry_out(self, *, private: bool) -> Pushed:
        """Make the change, on top of what was compared."""
        plan = self.plan
        if self.state is None:
            return self._create(private=private).carry_out(private=private)
        commit = self._commit(self.state.commit) if plan.upload or plan.delete else self.state.commit
        return Pushed(**vars(plan), commit=commit)

    def _create(self, *, private: bool) -> "Change":
        """Make the repository; the change from what is found then, which may be another's who was there first."""
        self.client.create(private=private)
        found = Change.between(self.content, self.client, private=private)
        if found.state is None:
            raise HubError(f"the Hub made {self.plan.url}, but does not show it; push again")
        return replace(found, plan=replace(found.plan, creates=True))

    def _commit(self, parent: str) -> str:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        plan, content = self.plan, self.content
        additions = [
            CommitOperationAdd(name, self.card.text.encode() if name == CARD else content.source(name))
            for name in plan.upload
        ]
        with self.client.progress.stage("push", total=plan.n_bytes, unit="bytes") as advance:
            for batch in _batches(additions, plan.upload):
                self.client.upload(batch)
                advance(sum(plan.upload[addition.path_in_repo] for addition in batch))
        deletions = [CommitOperationDelete(name, is_folder=False) for name in plan.delete]
        return self.client.commit([*additions, *deletions], message=content.title, parent=parent)


def _card(client: HubClient, content: Content, theirs: str | None) -> MergedCard:
    """The card as it is to be."""
    ours = content.card_of(client.repo)
    if theirs is None:
        return MergedCard(ours, ())
    try:
        return merge_cards(ours, theirs)
    except InputError as error:
        raise HubError(f"the card of {client.url} cannot be renewed: {error}; mend it there") from error


def _is_there(content: Content, name: str, there: dict[str, tuple[int, str | None, str | None]]) -> bool:
    size, sha256, git_id = there.get(name, (-1, None, None))
    if size != content.sizes[name]:
        return False
    return content.digest(name, "sha256") == sha256 if sha256 else content.digest(name, "git") == git_id


def _batches(additions: list[Any], sizes: dict[str, int]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for addition in additions:
        batch.append(addition)
        if sum(sizes[a.path_in_repo] for a in batch) >= _BATCH_BYTES:
            yield batch
            batch = []
    if batch:
        yield batch
