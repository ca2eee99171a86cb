import { fileURLToPath } from 'node:url';

/** The bundle that a new deployment starts with. The same place from src/ and from dist/. */
export const defaultPolicyFolder = fileURLToPath(new URL('../../policy/default/', import.meta.url));
