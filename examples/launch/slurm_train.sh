#!/bin/bash
# Data-parallel training on the GPUs of two nodes, one process per node:
#
#     sbatch slurm_train.sh pipeline.config runs/first
#
# Submitting it again resumes the run from its last checkpoint. Both paths must be on a
# disk that all nodes share.

#SBATCH --job-name=odapi-train
#SBATCH --nodes=2
#SBATCH --ntasks=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --mem=0
#SBATCH --time=24:00:00
# Two minutes before the time limit, a checkpoint is written.
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --output=%x-%j.log

set -euo pipefail

CONFIG=${1:?usage: sbatch slurm_train.sh CONFIG MODEL_DIR}
MODEL_DIR=${2:?usage: sbatch slurm_train.sh CONFIG MODEL_DIR}

# Coordinator, number and id of the processes are read from the variables of srun; each
# process takes all GPUs of its node. A process that ends with an error ends the job.
srun --kill-on-bad-exit=1 odapi train "$CONFIG" --model-dir "$MODEL_DIR" --backend jax
