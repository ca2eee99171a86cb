/** How long after a new policy came into force something may still have been decided by the one before, in seconds. */
export const policyGraceSeconds = 60;
