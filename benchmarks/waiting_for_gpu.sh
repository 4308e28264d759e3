#!/usr/bin/env bash
# Runs parts of benchmarks/README.md's list "waiting for a GPU": bash benchmarks/waiting_for_gpu.sh OUT PART ...
# Parts: checks, step (no data needed); pretrain, jhmdb, labels (need the shared data, in $SHARED or beside the checkout).
set -euo pipefail
out=${1:?usage: bash benchmarks/waiting_for_gpu.sh OUT PART ...}
shift
shared=${SHARED:-../shared/data}
device=${DEVICE:-cuda}
epochs=${EPOCHS:-120}
steps=${STEPS:-12}
backbone=${BACKBONE:-r2plus1d_18}
precision=${PRECISION:-bf16}
python=${PYTHON:-python3}
videos=(DATA.ROOT "$shared/jhmdb/videos" DATA.TRAIN "$shared/jhmdb/splits/group_trainlist01.txt")
tests=(DATA.TEST "$shared/jhmdb/splits/group_testlist01.txt")
mkdir -p "$out"

run() { "$python" tools/run_net.py --cfg "$@" RUN.DEVICE "$device"; }

# What no machine without a GPU can test.
checks() {
    timeout 150 "$python" -m pytest -n 12 --dist loadgroup -p no:cacheprovider tests/train tests/augment tests/methods \
        tests/runtime tests/engine/pool tests/engine/cluster tests/tools/test_run_net.py --ignore tests/train/test_kills.py || true
    "$python" tools/doctor.py || true
}

# Seconds and memory of a step without a loader, cost of a checkpoint, bytes that ranks send.
step() { "$python" benchmarks/step.py --batches 64 32 8 2 --rounds 1 --device "$device" --json "$out/step.json"; }

# J-HMDB: random initialisation against SCE.
jhmdb() {
    local model=(MODEL.BACKBONE "$backbone" EVAL.SIZE_PIXELS 112)
    run configs/jhmdb_sce.yaml "${videos[@]}" CLIP.SIZE_PIXELS 112 MODEL.BACKBONE "$backbone" \
        TRAIN.NUM_EPOCHS "$epochs" TRAIN.PRECISION "$precision" RUN.OUTPUT_DIR "$out/jhmdb_sce"
    cp "$out/jhmdb_sce/metrics.jsonl" "$out/jhmdb_sce.jsonl"
    for task in knn retrieval; do
        for weights in "" "$out/jhmdb_sce"; do
            name=jhmdb_${task}_$([ -n "$weights" ] && echo sce || echo random)
            run "configs/jhmdb_$task.yaml" "${videos[@]}" "${tests[@]}" "${model[@]}" EVAL.CHECKPOINT "$weights" \
                RUN.OUTPUT_DIR "$out/$name"
            cp "$out/$name/results.json" "$out/$name.json"
        done
    done
}

# Training steps of the published configs, on J-HMDB's files: clips/s and data wait.
pretrain() {
    for config in k400_sce k400_sce_s3d k400_sce_r3d50 k400_sce_r3d50_16f; do
        run "configs/$config.yaml" "${videos[@]}" CLIP.SECONDS 0.5 OPTIM.WARMUP_EPOCHS 1 TRAIN.NUM_EPOCHS 100 \
            TRAIN.STOP_AT_STEP "$steps" TRAIN.LOG_EVERY_STEPS 4 TRAIN.CHECKPOINT_EVERY_EPOCHS 0 \
            TRAIN.PRECISION "$precision" ${STEP_OVERRIDES:-} RUN.OUTPUT_DIR "$out/$config"
        tail -n 1 "$out/$config/metrics.jsonl" >"$out/$config.json"
    done
}

# Training steps on labels, on J-HMDB's files: clips/s and data wait.
labels() {
    for config in ucf101_finetune ucf101_finetune_small k400_linear k400_linear_small; do
        run "configs/$config.yaml" DATA.SOURCE list "${videos[@]}" "${tests[@]}" EVAL.CHECKPOINT "" CLIP.SECONDS 0.5 \
            TRAIN.NUM_EPOCHS 100 TRAIN.STOP_AT_STEP "$steps" TRAIN.LOG_EVERY_STEPS 4 TRAIN.CHECKPOINT_EVERY_EPOCHS 0 \
            ${STEP_OVERRIDES:-} RUN.OUTPUT_DIR "$out/$config"
        tail -n 1 "$out/$config/metrics.jsonl" >"$out/$config.json"
    done
}

for part in "$@"; do "$part"; done
