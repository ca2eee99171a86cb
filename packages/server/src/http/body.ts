import { z } from 'zod';
import { ServerError } from '../errors.ts';

/** The JSON body of a request, in its shape. @throws ServerError request */
export async function body<T>(request: Request, shape: z.ZodType<T>): Promise<T> {
  let value: unknown;
  try {
    value = await request.json();
  } catch (cause) {
    throw new ServerError('request', 'the request has no JSON body', { cause });
  }
  return query(value, shape);
}

/** What a request names besides its body, in its shape. @throws ServerError request */
export function query<T>(value: unknown, shape: z.ZodType<T>): T {
  const parsed = shape.safeParse(value);
  if (!parsed.success) throw new ServerError('request', z.prettifyError(parsed.error));
  return parsed.data;
}
