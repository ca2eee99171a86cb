#!/bin/sh
# The job: it tests a version, deploys it to staging, and to production once a person approved that. VERSION and JOB come from the pipeline.
set -eu
. "$(dirname "$0")/deed.sh"

# step NAME COMMAND…: runs a command of this job, between its intent and its outcome.
step() {
  name=$1 && shift
  asked=$(deed POST /v1/actions "{\"request\":\"act\",\"idempotencyKey\":\"$JOB-$name\",\"server\":\"self:ci\",\"tool\":\"$name\",\"arguments\":{\"version\":\"$VERSION\"}}")
  action=$(printf '%s' "$asked" | member action)
  code=0 && "$@" || code=$?
  status=ok && [ $code -eq 0 ] || status=error
  deed POST "/v1/actions/$action/result" "{\"request\":\"result\",\"action\":\"$action\",\"status\":\"$status\",\"result\":{\"code\":$code}}" > /dev/null
  echo "$name: $status"
  return $code
}

# deploy ENVIRONMENT: has Deed deploy, with a token that this job never sees. Sent again, it is the same deployment.
deploy() {
  wait=0
  while :; do
    answer=$(deed POST "/v1/execute?wait=$wait" "{\"request\":\"execute\",\"idempotencyKey\":\"$JOB-$1\",\"server\":\"deployer\",\"tool\":\"deploy_$1\",\"arguments\":{\"version\":\"$VERSION\"}}") || break
    [ "$(printf '%s' "$answer" | member state)" = held ] || break
    [ $wait -gt 0 ] || echo "$1: waits for a person: $(printf '%s' "$answer" | member action)"
    wait=20
  done
  echo "$1: $(printf '%s' "$answer" | member state)$(printf '%s' "$answer" | member title)"
  printf '%s' "$answer" | grep -q '"state":"ok"'
}

step test sh -c 'test -n "$VERSION"'
deploy staging
deploy production
deploy moon || echo "moon: it goes on without"
deed POST "/v1/tasks/$DEED_TASK/close" "{\"request\":\"close\",\"task\":\"$DEED_TASK\"}" > /dev/null
echo 'the job is done'
