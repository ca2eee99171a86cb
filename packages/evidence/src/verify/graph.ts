import { parseStrictJson } from '../json.ts';
import type { PayloadRef } from '../predicates.ts';
import type { Statement, StatementWith } from '../statement.ts';
import { actorOf } from './actor.ts';
import type { Examination, Logged } from './examination.ts';
import type { Report } from './report.ts';
import { examineCase } from './verify.ts';

export type NodeKind =
  | 'principal'
  | 'task'
  | 'agent'
  | 'person'
  | 'prompt'
  | 'action'
  | 'tool'
  | 'system'
  | 'resource'
  | 'finding';
export type EdgeKind =
  | 'ordered'
  | 'given-to'
  | 'delegated'
  | 'led-to'
  | 'called'
  | 'approved'
  | 'through'
  | 'caused'
  | 'recorded'
  | 'contradicts';

export interface GraphNode {
  /** `<kind>:<name>`: unique in the graph. */
  readonly id: string;
  readonly kind: NodeKind;
  readonly label: string;
  /** What is to be known of it besides, for instance how an action ended. */
  readonly detail: Readonly<Record<string, string>>;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  /** Digest of the statement that says so. */
  readonly statement: string;
  /** When that was recorded. */
  readonly time: string;
}

/** Who ordered, delegated, called, approved and caused what, as far as the case shows it. */
export interface CaseGraph {
  readonly verdict: Report['verdict'];
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/**
 * The chain of a case across agents, tools and systems, as data (docs/formats/case-graph.md). It is drawn from statements that were checked: with a verdict
 * below UNANCHORED (FORGED, INCOMPLETE, unusable) it shows what is there and is not to be relied on.
 * @throws EvidenceError trust
 */
export function caseGraph(file: Uint8Array, options: Parameters<typeof examineCase>[1] = {}): CaseGraph {
  const { exam, report } = examineCase(file, options);
  const graph = new Graph();
  for (const logged of exam.statements) exam.attempt('graph', () => draw(graph, exam, logged));
  return { verdict: report.verdict, nodes: [...graph.nodes.values()], edges: graph.edges };
}

class Graph {
  readonly nodes = new Map<string, GraphNode>();
  readonly edges: GraphEdge[] = [];

  node(kind: NodeKind, name: string, label = name, detail: Readonly<Record<string, string>> = {}): string {
    const id = `${kind}:${name}`;
    const known = this.nodes.get(id);
    this.nodes.set(id, { id, kind, label, detail: { ...known?.detail, ...detail } });
    return id;
  }

  edge(from: string, kind: EdgeKind, to: string, { digest: statement, time }: Statement): void {
    const isKnown = this.edges.some((edge) => edge.from === from && edge.to === to && edge.kind === kind);
    if (!isKnown) this.edges.push({ from, to, kind, statement, time });
  }
}

function draw(graph: Graph, exam: Examination, { statement, ...logged }: Logged): void {
  const { predicate, body, series } = statement;
  if (predicate === 'task-opened') {
    const task = graph.node('task', series);
    graph.edge(graph.node('principal', principalOf(exam, body.principal)), 'ordered', task, statement);
    if (body.agent) graph.edge(task, 'given-to', graph.node('agent', body.agent.spiffe), statement);
  } else if (predicate === 'hop') {
    graph.edge(
      graph.node('agent', body.delegator.spiffe),
      'delegated',
      graph.node('agent', body.delegate.spiffe),
      statement,
    );
  } else if (predicate === 'intent') drawIntent(graph, exam, { ...logged, statement });
  else if (predicate === 'approval') {
    graph.edge(graph.node('person', body.person.id), 'approved', graph.node('action', body.action), statement);
  } else if (predicate === 'outcome') graph.node('action', body.action, body.action, { end: body.status });
  else if (predicate === 'refusal') {
    const action = graph.node('action', body.action, body.action, { end: 'refused', reason: body.reason });
    if (body.tool)
      graph.edge(action, 'through', graph.node('tool', `${body.tool.server}/${body.tool.name}`), statement);
  } else if (predicate === 'confirmed') drawConfirmed(graph, exam, statement);
  else if (predicate === 'finding') drawFinding(graph, exam, statement);
}

function drawIntent(graph: Graph, exam: Examination, logged: Logged<StatementWith<'intent'>>): void {
  const { statement } = logged;
  const { action, tool, tier, authority, prompt } = statement.body;
  const node = graph.node('action', action, action, { tier, observed: statement.observed, end: 'open' });
  const actor = actorOf(exam, logged, authority.chain).agent?.spiffe ?? 'agent not enrolled';
  graph.edge(graph.node('agent', actor), 'called', node, statement);
  graph.edge(node, 'through', graph.node('tool', `${tool.server}/${tool.name}`), statement);
  if (prompt) {
    const name = prompt.exchange?.sha256 ?? `of ${action}`;
    graph.edge(
      graph.node('prompt', name, `prompt ${name.slice(0, 12)}`, { link: prompt.link }),
      'led-to',
      node,
      statement,
    );
  }
}

function drawConfirmed(graph: Graph, exam: Examination, statement: StatementWith<'confirmed'>): void {
  const { action, outcome, how } = statement.body;
  for (const { source, resource, text } of exam.touched.get(outcome) ?? []) {
    const node = graph.node('resource', `${source}/${resource}`, resource, { recorded: text });
    graph.edge(graph.node('action', action, action, { confirmed: how }), 'caused', node, statement);
    graph.edge(graph.node('system', source), 'recorded', node, statement);
  }
}

function drawFinding(graph: Graph, exam: Examination, statement: StatementWith<'finding'>): void {
  const { finding, type, severity, why, statements, events } = statement.body;
  const state = exam.findingStates.get(finding)?.state ?? 'open';
  const node = graph.node('finding', finding, type, { severity, why, state });
  for (const source of new Set(events.map((event) => event.source)))
    graph.edge(graph.node('system', source), 'recorded', node, statement);
  for (const digest of statements) {
    const about = exam.find(digest, 'outcome') ?? exam.find(digest, 'intent');
    if (about) graph.edge(node, 'contradicts', graph.node('action', about.statement.body.action), statement);
  }
}

function principalOf(exam: Examination, ref: PayloadRef): string {
  const bytes = exam.payload(ref);
  const said = bytes ? parseStrictJson(bytes).value : null;
  const id = typeof said === 'object' && said !== null && 'id' in said ? said.id : null;
  return typeof id === 'string' ? id : `payload ${ref.sha256.slice(0, 12)}`;
}
