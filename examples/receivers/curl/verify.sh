#!/bin/sh
# Checks a callback by hand: standard input is its body, the arguments are the endpoint's secret and the values of the
# headers webhook-id, webhook-timestamp and webhook-signature. Succeeds if one of the signatures is right and five minutes
# old at most.
set -eu
secret=$1 id=$2 timestamp=$3 signatures=$4

key=$(printf %s "${secret#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')
expected=$({ printf '%s.%s.' "$id" "$timestamp"; cat; } |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)

age=$(($(date +%s) - timestamp))
[ "$age" -le 300 ] && [ "$age" -ge -300 ] || { echo "the time is off by $age seconds" >&2; exit 1; }
case " $signatures " in
*" v1,$expected "*) echo "verified" ;;
*) echo "no signature is right" >&2; exit 1 ;;
esac
