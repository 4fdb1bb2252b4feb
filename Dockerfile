# Prunemark with a CPU build of PyTorch: docker build -t prunemark . && docker run --rm -v "$PWD:/results" prunemark
FROM python:3.12-slim-bookworm

# bubblewrap is the barrier `container` of SECURITY.md, where Docker lets it work; without it the other barriers hold.
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore OMP_NUM_THREADS=1 PRUNEMARK_HOME=/results/prunemark-home

# PyTorch's own index of CPU builds, for torch and torchvision only: without CUDA an image is 4.3 GB smaller.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt /build/
RUN sed -nE 's/^(torch|torchvision)==.*/&+cpu/p' /build/constraints.txt > /build/torch.txt \
  && pip install --index-url "$TORCH_INDEX" -r /build/torch.txt

COPY . /build/clone
RUN pip install -c /build/constraints.txt '/build/clone[run]' && rm -rf /build

# Whoever breaks out of the sandbox is not root. Give your own user with `--user` to own what is written.
RUN useradd --create-home runner && install -d -o runner /results
USER runner
WORKDIR /results
ENTRYPOINT ["prunemark"]
CMD ["--help"]
