"""A causal language model from a local folder, by transformers: safetensors only, no code from the model."""

from __future__ import annotations

from typing import Any

from ..failures import ModelMissing
from ..models import ModelFolder
from ..models.libraries import torch, transformers
from .model import Completion


class TransformerText:
    """Text from a causal model; chat models get the prompt as the user's message."""

    def __init__(self, folder: ModelFolder, dtype: str | None) -> None:
        self.name = folder.name
        self.revision = folder.revision
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.dtype: str | None = dtype or ("bfloat16" if self.device == "cuda" else "float32")
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder.path, **options)
            self._model = transformers.AutoModelForCausalLM.from_pretrained(
                folder.path, dtype=getattr(torch, self.dtype), use_safetensors=True, **options
            ).to(self.device)
        except (OSError, ValueError) as error:
            raise ModelMissing("ModelUnusable", f"{folder.name} in {folder.path} cannot be loaded: {error}") from error

    def complete(self, prompt: str, seed: int, max_tokens: int) -> Completion:
        """Sampled with the model's own generation settings under `seed`."""
        if self._tokenizer.chat_template:
            encoded = self._tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}],
                add_generation_prompt=True,
                return_tensors="pt",
                return_dict=True,
            )
        else:
            encoded = self._tokenizer(prompt, return_tensors="pt")
        encoded = encoded.to(self.device)
        torch.manual_seed(seed)
        with torch.inference_mode():
            whole = self._model.generate(**encoded, max_new_tokens=max_tokens)[0]
        prompt_tokens = encoded["input_ids"].shape[1]
        answer = whole[prompt_tokens:]
        text = self._tokenizer.decode(answer, skip_special_tokens=True)
        return Completion(text, int(prompt_tokens), len(answer))
