"""The prompt's side: a tokenizer of whole words, and a text encoder that learns meaning before any picture.

The encoder first learns to tell from a caption which attributes it names. Captions cost nothing, so it sees a
few hundred thousand of them, and the denoiser sees sentences understood from its first step on.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from demo_model.parts.loop import Plan, fit
from demo_model.world.captions import UNKNOWN_WORD, UNNAMED, caption
from demo_model.world.scene import ATTRIBUTES, sample_scene

PLAN = Plan(steps=600, learning_rate=1.5e-3, average_decay=0.99, save_every=100)
MAX_TOKENS = 40
WIDTH = 128
_BATCH = 128
_SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")


def new_tokenizer() -> PreTrainedTokenizerFast:
    """Whole lower-case words; anything not a letter or digit separates them; what captions never say is <unk>."""
    rng = random.Random("vocabulary")
    words = {word for _ in range(20_000) for word in _words(caption(sample_scene(rng), rng)[0])} - {UNKNOWN_WORD}
    vocabulary = {token: index for index, token in enumerate((*_SPECIAL, *sorted(words)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex("[^a-z0-9]+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", vocabulary["<s>"]), ("</s>", vocabulary["</s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=MAX_TOKENS,
        padding_side="right",
    )


def _words(text: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in text.lower()).split()


def token_ids(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> Tensor:
    """Ids (n x MAX_TOKENS), padded and cut as the pipeline does it."""
    batch = tokenizer(texts, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt")
    ids: Tensor = batch.input_ids
    return ids


def new_text_encoder(vocabulary: int) -> CLIPTextModel:
    """An untrained CLIP text model, two layers of width 128."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=WIDTH,
            projection_dim=WIDTH,
            intermediate_size=2 * WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=MAX_TOKENS,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
        )
    )


class AttributeReader(nn.Module):  # type: ignore[misc]  # torch comes without types here
    """The text encoder with one linear head per attribute; the last class of each means "not named"."""

    def __init__(self, encoder: CLIPTextModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleList(nn.Linear(WIDTH, len(values) + 1) for values in ATTRIBUTES.values())

    def forward(self, ids: Tensor) -> list[Tensor]:
        """Logits per attribute, each n x (values + 1), of token ids n x MAX_TOKENS."""
        pooled = self.encoder(ids).last_hidden_state.mean(1)
        return [head(pooled) for head in self.heads]


def _captioned(count: int, rng: random.Random, tokenizer: PreTrainedTokenizerFast) -> tuple[Tensor, Tensor]:
    texts, labels = zip(*(caption(sample_scene(rng), rng) for _ in range(count)), strict=True)
    wanted = torch.tensor(labels)
    sizes = torch.tensor([len(values) for values in ATTRIBUTES.values()])
    return token_ids(tokenizer, list(texts)), torch.where(wanted == UNNAMED, sizes, wanted)


def train_text_encoder(tokenizer: PreTrainedTokenizerFast, folder: Path) -> tuple[CLIPTextModel, float]:
    """The trained encoder, and the share of attributes it reads right in captions it never saw."""
    torch.manual_seed(0)
    reader = AttributeReader(new_text_encoder(len(tokenizer)))

    def loss() -> Tensor:
        rng = random.Random(f"captions-{torch.initial_seed()}")
        ids, wanted = _captioned(_BATCH, rng, tokenizer)
        losses = [functional.cross_entropy(logits, wanted[:, i]) for i, logits in enumerate(reader(ids))]
        return torch.stack(losses).mean()

    fit("text-encoder", reader, loss, PLAN, folder)
    with torch.no_grad():
        ids, wanted = _captioned(2000, random.Random("captions-unseen"), tokenizer)
        right = torch.stack([logits.argmax(1) for logits in reader(ids)], 1) == wanted
    return reader.encoder.requires_grad_(False).eval(), right.float().mean().item()
