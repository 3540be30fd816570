#!/usr/bin/env bash
# Writes the list of everything that the program of the image is built from (CycloneDX 1.5, JSON): ./scripts/sbom.sh FILE [TARGET]
#
# Every package that the build takes must be on it: `cargo tree` is asked for the same. Some are on it that the build leaves
# out, because the metadata of cargo name optional packages that nothing has asked for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

file="${1:?the file to write}"
target="${2:-x86_64-unknown-linux-gnu}"
cargo cyclonedx --version >/dev/null 2>&1 || cargo install --quiet --locked cargo-cyclonedx --version 0.5.9
# It writes a list beside each program of the workspace.
trap 'find crates bench -name "*_sbom.json" -delete' EXIT
cargo cyclonedx --quiet --manifest-path crates/dakghar/Cargo.toml --features kms --format json --spec-version 1.5 \
    --target "$target" --override-filename dakghar_sbom
mkdir -p "$(dirname "$file")"
cp crates/dakghar/dakghar_sbom.json "$file"

listed() { python3 -c 'import json, sys
for part in json.load(open(sys.argv[1]))["components"]: print(part["name"], part["version"])' "$file"; }
taken() { cargo tree --locked --package dakghar --features kms --edges normal,build --target "$target" --prefix none --format '{p}'; }
missing="$(comm -13 <(listed | sort -u) <(taken | sed 's/^\([^ ]*\) v\([^ ]*\).*/\1 \2/' | grep -v '^dakghar ' | sort -u))"
if [ -n "$missing" ]; then
    printf 'sbom: the list lacks\n%s\n' "$missing" >&2
    exit 1
fi
echo "sbom: $(listed | wc -l) packages in $file"
