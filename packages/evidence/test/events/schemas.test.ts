import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { contractForm, parseContract } from '../../src/events/contract.ts';
import { condition, expression } from '../../src/events/expression.ts';
import { mappingForm, parseMapping } from '../../src/events/mapping.ts';

const root = new URL('../../../../', import.meta.url);
const names = z.registry<{ id?: string }>();
names.add(expression, { id: 'expression' });
names.add(condition, { id: 'condition' });

/** What editors are given is made of what the parser takes: one of the two cannot change alone. */
const schemas = {
  'source-mapping': { form: mappingForm, parse: parseMapping },
  'effect-contract': { form: contractForm, parse: parseContract },
} as const;
type Name = keyof typeof schemas;

function schemaOf(name: Name): object {
  const made = z.toJSONSchema(schemas[name].form, { io: 'input', metadata: names, reused: 'inline' });
  return { $id: `https://w3id.org/deed/${name}/v1`, ...made };
}

const shipped: Readonly<Record<Name, readonly URL[]>> = {
  'source-mapping': [
    ...readdirSync(new URL('packages/reconcile/mappings/', root)).map(
      (file) => new URL(`packages/reconcile/mappings/${file}`, root),
    ),
    new URL('examples/payments/mapping.json', root),
  ],
  'effect-contract': [new URL('examples/payments/contract.json', root)],
};

describe.each(Object.keys(schemas) as Name[])('the schema of a %s', (name) => {
  const file = new URL(`docs/formats/${name}.schema.json`, root);
  const text = `${JSON.stringify(schemaOf(name), null, 2)}\n`;

  it('is what the parser takes', () => {
    if (process.env.UPDATE_EXAMPLES) writeFileSync(file, text);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(text));
  });

  it('accepts what ships, and refuses with the parser what is no such document', () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schemaOf(name));
    const documents = shipped[name].map((url) => readFileSync(url, 'utf8'));
    expect(documents.length).toBeGreaterThan(0);
    for (const document of documents) {
      expect(validate(JSON.parse(document)), JSON.stringify(validate.errors)).toBe(true);
      const whole = JSON.parse(document) as Record<string, unknown>;
      for (const key of Object.keys(whole))
        for (const wrong of [7, null, { unknown: '/x' }, [{ of: '/x' }], '']) {
          const bent = { ...whole, [key]: wrong };
          let taken = true;
          try {
            schemas[name].parse(Buffer.from(JSON.stringify(bent)));
          } catch {
            taken = false;
          }
          // What the parser asks beyond the form (names of events), no schema can say.
          if (taken) expect(validate(bent), `${key}: ${JSON.stringify(wrong)}`).toBe(true);
          else if (key !== 'effects' && key !== 'ambient')
            expect(validate(bent), `${key}: ${JSON.stringify(wrong)}`).toBe(false);
        }
    }
  });
});
