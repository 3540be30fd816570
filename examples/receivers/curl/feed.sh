#!/bin/sh
# Reads the feed of a tenant instead of being called: prints each page of entries once, whatever is restarted.
#
#     TENANT_ID=ten_... ./feed.sh
#
# DAKGHAR_URL is where Dakghar is, API_KEY the tenant's key, if one is asked for, and PLACE_FILE (place) holds how far it
# has come. Delete that file to read from the beginning, or write an earlier place into it to read on from there.
set -eu
url=${DAKGHAR_URL:-http://localhost:3000} file=${PLACE_FILE:-place}

while :; do
    place=$(cat "$file" 2>/dev/null || echo 0)
    page=$(curl -fsS ${API_KEY:+-H "Authorization: Bearer $API_KEY"} \
        "$url/tenants/$TENANT_ID/feed?after=$place&limit=100") || { sleep 5; continue; }
    # It is the last field of a page.
    next=$(printf %s "$page" | grep -o '"nextCursor":"[^"]*"' | tail -n 1 | cut -d '"' -f 4)
    if [ "$next" = "$place" ]; then
        sleep 1
        continue
    fi
    printf '%s\n' "$page"
    # Only now: what was not worked on is read again.
    echo "$next" >"$file.new" && mv "$file.new" "$file"
done
