import { version } from '@deed/server';
import { Command } from 'commander';
import { agentCommand } from './commands/agent.ts';
import { approveCommand } from './commands/approve.ts';
import { backupCommand } from './commands/backup.ts';
import { brokerCommand } from './commands/broker.ts';
import { callbackCommand } from './commands/callback.ts';
import { caseCommand } from './commands/case.ts';
import { demoCommand } from './commands/demo.ts';
import { grantCommand } from './commands/grant.ts';
import { holdCommand } from './commands/hold.ts';
import { hookCommand } from './commands/hook.ts';
import { initCommand } from './commands/init.ts';
import { keyCommand } from './commands/key.ts';
import { logCommand } from './commands/log.ts';
import { mcpCommand } from './commands/mcp.ts';
import { modelCommand } from './commands/model.ts';
import { personCommand } from './commands/person.ts';
import { policyCommand } from './commands/policy.ts';
import { findingCommand, reconcileCommand } from './commands/reconcile.ts';
import { retentionCommand } from './commands/retention.ts';
import { secretCommand } from './commands/secret.ts';
import { sourceCommand } from './commands/source.ts';
import { taskCommand } from './commands/task.ts';
import { toolCommand } from './commands/tool.ts';
import { trustCommand } from './commands/trust.ts';
import { upCommand } from './commands/up.ts';
import { verifyCommand } from './commands/verify.ts';

/** The command table: every command with its options. */
export function deedProgram(): Command {
  const program = new Command('deed')
    .description('Proof of action and proof of execution for AI agents and other non-human identities')
    .version(version)
    .showHelpAfterError('(add --help to see how)');

  for (const make of [
    demoCommand,
    initCommand,
    upCommand,
    agentCommand,
    taskCommand,
    toolCommand,
    brokerCommand,
    secretCommand,
    mcpCommand,
    modelCommand,
    hookCommand,
    approveCommand,
    personCommand,
    reconcileCommand,
    findingCommand,
    holdCommand,
    retentionCommand,
    caseCommand,
    verifyCommand,
    trustCommand,
    policyCommand,
    grantCommand,
    keyCommand,
    sourceCommand,
    logCommand,
    callbackCommand,
    backupCommand,
  ]) {
    program.addCommand(make());
  }
  return program;
}
