import {
  Agent,
  tool as agentsTool,
  type Model,
  type ModelResponse,
  Runner,
  setTracingDisabled,
  Usage,
} from '@openai/agents-core';
import { generateText, stepCountIs, type ToolSet, tool } from 'ai';
import { MockLanguageModelV4 } from 'ai/test';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { guardTools } from '../src/ai.ts';
import { guardTool } from '../src/openai-agents.ts';
import { startWorld } from './world.ts';

let place: Awaited<ReturnType<typeof startWorld>>;
beforeAll(async () => {
  place = await startWorld();
});
afterAll(() => place.world.end());

const allow = [{ server: 'self:files', tools: ['write'] }];
const inputSchema = z.object({ path: z.string() });

/** The ids of the model's calls, as the agent signed them. */
function callIds(task: string): readonly unknown[] {
  const { vault } = place.world.serving.deployment.authority;
  return place.world.of(task, 'intent').map(({ body }) => {
    const name = body.authority.evidence?.sha256 ?? '';
    const { message } = JSON.parse(Buffer.from(vault.get(name).subarray(16)).toString());
    return JSON.parse(message).toolCallId;
  });
}

describe('the Vercel AI SDK', () => {
  /** A model that calls one tool, and then says what it was told. */
  function model(toolName: string) {
    const usage = {
      inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: 1, text: 1, reasoning: 0 },
    };
    let asked = 0;
    const prompts: unknown[] = [];
    const mock = new MockLanguageModelV4({
      doGenerate: async ({ prompt }) => {
        prompts.push(prompt);
        const content =
          asked++ === 0
            ? [{ type: 'tool-call' as const, toolCallId: 'call_1', toolName, input: '{"path":"a.txt"}' }]
            : [{ type: 'text' as const, text: 'done' }];
        const unified = asked === 1 ? ('tool-calls' as const) : ('stop' as const);
        return { content, usage, warnings: [], finishReason: { unified, raw: undefined } };
      },
    });
    return { mock, prompts };
  }

  async function run(name: string, client: Parameters<typeof guardTools>[0], execute: () => unknown) {
    const { mock, prompts } = model(name);
    const tools = guardTools(client, 'self:files', { [name]: tool({ inputSchema, execute }) });
    const { text } = await generateText({ model: mock, tools, prompt: 'Go', stopWhen: stepCountIs(3) });
    return { text, told: JSON.stringify(prompts.at(-1)) };
  }

  test('runs an allowed tool once, with the id of the call on its receipt', async () => {
    const { client, task } = await place.worker(allow);
    const execute = vi.fn(() => 'written');
    expect(await run('write', client, execute)).toMatchObject({
      text: 'done',
      told: expect.stringContaining('written'),
    });
    expect(execute).toHaveBeenCalledTimes(1);
    expect(callIds(task)).toEqual(['call_1']);
    expect(place.world.of(task, 'outcome').map(({ body }) => body.status)).toEqual(['ok']);
  });

  test('does not run what is refused, and tells the model why', async () => {
    const { client, task } = await place.worker(allow);
    const execute = vi.fn(() => 'deleted');
    expect((await run('delete', client, execute)).told).toContain('outside-grant');
    expect(execute).not.toHaveBeenCalled();
    expect(place.world.of(task, 'refusal').map(({ body }) => body.reason)).toEqual(['outside-grant']);
  });

  test('takes the last value of a tool that yields several', async () => {
    const { client } = await place.worker(allow);
    const many = async function* () {
      yield 'half';
      yield 'whole';
    };
    expect((await run('write', client, many)).told).toContain('whole');
  });

  test('leaves a tool alone that the client does not run itself', async () => {
    const { client } = await place.worker(allow);
    const tools: ToolSet = { ask: { inputSchema } };
    expect(guardTools(client, 'self:files', tools).ask).toBe(tools.ask);
  });
});

describe('OpenAI Agents JS', () => {
  setTracingDisabled(true);

  /** A model that calls one tool, and then ends. */
  function model(name: string): Model & { readonly inputs: unknown[] } {
    const inputs: unknown[] = [];
    return {
      inputs,
      async getResponse({ input }): Promise<ModelResponse> {
        inputs.push(input);
        const output: ModelResponse['output'] =
          inputs.length === 1
            ? [{ type: 'function_call', callId: 'call_2', name, arguments: '{"path":"a.txt"}', status: 'completed' }]
            : [
                {
                  type: 'message',
                  role: 'assistant',
                  status: 'completed',
                  content: [{ type: 'output_text', text: 'done' }],
                },
              ];
        return { usage: new Usage(), output };
      },
      // biome-ignore lint/correctness/useYield: nothing is streamed here
      async *getStreamedResponse() {
        throw new Error('not asked for');
      },
    };
  }

  async function run(name: string, client: Parameters<typeof guardTool>[0], execute: () => Promise<string>) {
    const options = { name, description: 'a tool', parameters: inputSchema, execute };
    const agent = new Agent({
      name: 'tester',
      model: model(name),
      tools: [agentsTool(guardTool(client, 'self:files', options))],
    });
    const { finalOutput } = await new Runner().run(agent, 'Go');
    return { finalOutput, told: JSON.stringify((agent.model as ReturnType<typeof model>).inputs.at(-1)) };
  }

  test('runs an allowed tool once, with the id of the call on its receipt', async () => {
    const { client, task } = await place.worker(allow);
    const execute = vi.fn(async () => 'written');
    expect(await run('write', client, execute)).toMatchObject({
      finalOutput: 'done',
      told: expect.stringContaining('written'),
    });
    expect(execute).toHaveBeenCalledTimes(1);
    expect(callIds(task)).toEqual(['call_2']);
  });

  test('does not run what is refused, and tells the model why', async () => {
    const { client } = await place.worker(allow);
    const execute = vi.fn(async () => 'deleted');
    expect((await run('delete', client, execute)).told).toContain('outside-grant');
    expect(execute).not.toHaveBeenCalled();
  });

  test('records a tool that failed as an error', async () => {
    const { client, task } = await place.worker(allow);
    await run('write', client, () => Promise.reject(new Error('disk full')));
    expect(place.world.of(task, 'outcome').map(({ body }) => body.status)).toEqual(['error']);
  });
});
