import { config } from 'zod';

// zod would compile its checks with `new Function`, which the page's policy forbids. Read before any schema is made.
config({ jitless: true });
