import { describe, expect, it } from 'vitest';
import { caseGraph } from '../../src/verify/graph.ts';
import { makeCase, trustText } from '../support/case-maker.ts';
import { contracted } from '../support/contracts.ts';
import { commit } from '../support/props.ts';

const nowMs = Date.parse('2026-11-22T11:00:00Z');
const graphOf = (bend = {}) => {
  const { file, story } = makeCase(bend);
  const graph = caseGraph(file, { trust: trustText, nowMs });
  const labels = new Map(graph.nodes.map(({ id, kind, label }) => [id, `${kind} ${label}`]));
  return {
    story,
    graph,
    told: graph.edges.map(({ from, kind, to }) => `${labels.get(from)} ${kind} ${labels.get(to)}`),
  };
};

describe('the graph of a case', () => {
  it('tells who ordered, called, approved and caused what, and what contradicts it', () => {
    const { story, graph, told } = graphOf();
    const { write, push, denied } = story.actions;
    const agent = 'agent spiffe://';
    expect(told).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^principal per_.* ordered task tsk_/),
        expect.stringMatching(new RegExp(`^task tsk_.* given-to ${agent}`)),
        expect.stringMatching(new RegExp(`^${agent}.* called action ${write}$`)),
        `action ${write} through tool files/write_file`,
        `action ${denied} through tool files/delete_file`,
        expect.stringMatching(new RegExp(`^person per_.* approved action ${push}$`)),
        `action ${push} caused resource site refs/heads/main`,
        'system forge recorded resource site refs/heads/main',
        'system forge recorded finding hidden_side_effect',
      ]),
    );
    const detailOf = (id: string) => graph.nodes.find((node) => node.id === id)?.detail;
    expect(detailOf(`action:${push}`)).toMatchObject({ end: 'ok', tier: 'approve', confirmed: 'exact' });
    expect(detailOf(`action:${denied}`)).toMatchObject({ end: 'refused', reason: 'denied' });
    expect(detailOf('resource:forge/site refs/heads/main')?.recorded).toContain(commit('a'));
    expect(graph.verdict).toBe('VERIFIED');
  });

  it('tells who delegated, and what a contract was confirmed by', () => {
    const delegated = graphOf({ parts: ['delegated'] });
    expect(delegated.told.filter((line) => line.includes(' delegated ')).length).toBeGreaterThan(0);
    const { told, story } = graphOf(contracted());
    expect(told).toContain(`action ${story.actions.write} caused resource docs/index.md`);
  });

  it('has each node and each edge once, and every edge two nodes', () => {
    const { graph } = graphOf();
    const ids = graph.nodes.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const edges = graph.edges.map(({ from, kind, to }) => `${from} ${kind} ${to}`);
    expect(new Set(edges).size).toBe(edges.length);
    expect(graph.edges.every(({ from, to }) => ids.includes(from) && ids.includes(to))).toBe(true);
  });

  it('is drawn of a case that is none as an empty one', () => {
    expect(caseGraph(new Uint8Array(10))).toEqual({ verdict: 'unusable', nodes: [], edges: [] });
  });
});
