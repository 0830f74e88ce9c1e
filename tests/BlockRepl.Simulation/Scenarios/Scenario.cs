using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Checks;
using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Scenarios;

/// <summary>
/// Verbs to write a scenario with: each does one thing and waits until it is done, in virtual time. Nodes are "a" and
/// "b". All checkers of <see cref="SimCluster"/> look on.
/// </summary>
public sealed class Scenario
{
    private const long Patience = 120 * Duration.Second;

    public Scenario(SimOptions? options = null, ulong seed = 1, Action<string>? traceSink = null)
    {
        Cluster = new SimCluster(seed, options ?? new SimOptions(), traceSink);
    }

    public SimCluster Cluster { get; }

    public SimNode A => Cluster.A;

    public SimNode B => Cluster.B;

    public ulong Sectors => Cluster.Content.Model(0, 0).Sectors;

    /// <summary>Starts a node's daemon and attaches its disks.</summary>
    public Scenario Up(SimNode node)
    {
        node.Start();
        return Attach(node);
    }

    public Scenario Attach(SimNode node)
    {
        foreach (SimVolume volume in node.Volumes)
        {
            Do(node, new AdminCommand.Attach(volume.Number, volume.Facts));
        }

        return this;
    }

    public Scenario Detach(SimNode node, bool force = false) => Do(node, new AdminCommand.Detach(0, force));

    /// <summary>Starts connecting; does not wait for the peer.</summary>
    public Scenario Connect(SimNode node, bool discardMyData = false) =>
        Do(node, new AdminCommand.Connect(discardMyData, false));

    public Scenario Disconnect(SimNode node) => Do(node, new AdminCommand.Disconnect(false));

    public Scenario Promote(SimNode node, bool force = false)
    {
        Do(node, new AdminCommand.SetRole(true, force));
        if (!Cluster.Content.IsCurrent(node.Index) && !Cluster.Content.IsCurrent(node.Peer.Index))
        {
            for (int volume = 0; volume < node.Volumes.Count; volume++)
            {
                Cluster.Content.Adopt(node.Index, volume);
            }
        }

        return this;
    }

    public Scenario Demote(SimNode node) => Do(node, new AdminCommand.SetRole(false, false));

    /// <summary>Both nodes up and connected, nothing synced yet.</summary>
    public Scenario BothConnected()
    {
        Up(A).Up(B).Connect(A).Connect(B);
        return Until(() => IsConnected(A) && IsConnected(B), "both nodes are connected")
            .Wait(200 * Duration.Millisecond);
    }

    /// <summary>Both up, connected and declared equal without a sync; a is Primary.</summary>
    public Scenario InSync()
    {
        BothConnected();
        for (int volume = 0; volume < A.Volumes.Count; volume++)
        {
            Do(A, new AdminCommand.NewCurrentUuid(volume, true));
        }

        Until(() => IsWhole(A) && IsWhole(B), "the first sync is skipped");
        Promote(A);
        for (int volume = 0; volume < A.Volumes.Count; volume++)
        {
            Cluster.Content.Copied(0, 1, volume);
        }

        return this;
    }

    /// <summary>Writes and waits for the answer.</summary>
    public Scenario Write(SimNode node, ulong sector, int byteCount, bool forceUnitAccess = false) =>
        Request(node, RequestKind.Write, sector, byteCount, forceUnitAccess);

    public Scenario Read(SimNode node, ulong sector, int byteCount) =>
        Request(node, RequestKind.Read, sector, byteCount, false);

    public Scenario Flush(SimNode node) => Request(node, RequestKind.Flush, 0, 0, false);

    /// <summary>Submits a write and does not wait.</summary>
    public Scenario StartWrite(SimNode node, ulong sector, int byteCount)
    {
        node.FrontEnd.Submit(RequestKind.Write, 0, sector, byteCount);
        return this;
    }

    /// <summary>Writes so many blocks of 4 KiB, spread evenly over the device, and waits for all.</summary>
    public Scenario WriteEverywhere(SimNode node, int blocks)
    {
        for (int i = 0; i < blocks; i++)
        {
            node.FrontEnd.Submit(RequestKind.Write, 0, (ulong)i * (Sectors / (ulong)blocks) / 8 * 8, 4096);
        }

        return Until(() => node.FrontEnd.RunningCount == 0, "all writes are answered");
    }

    /// <summary>Reads the whole device: every answer is checked.</summary>
    public Scenario ReadAll(SimNode node)
    {
        for (ulong sector = 0; sector < Sectors; sector += 2048)
        {
            int bytes = (int)Math.Min(2048, Sectors - sector) * 512;
            node.FrontEnd.Submit(RequestKind.Read, 0, sector, bytes);
            Until(() => node.FrontEnd.RunningCount == 0, "the read is answered");
        }

        return this;
    }

    public Scenario PowerLoss(SimNode node)
    {
        node.Crash(power: true);
        return this;
    }

    public Scenario Kill(SimNode node)
    {
        node.Crash(power: false);
        return this;
    }

    /// <summary>A crashed node comes back: attached and connecting.</summary>
    public Scenario Restart(SimNode node) => Up(node).Connect(node);

    public Scenario LinkDown()
    {
        Cluster.Network.SetLink(false);
        return this;
    }

    public Scenario LinkUp()
    {
        Cluster.Network.SetLink(true);
        return this;
    }

    public Scenario Wait(long ns)
    {
        Cluster.RunFor(ns);
        return this;
    }

    public Scenario UntilInSync()
    {
        Until(Cluster.IsAtRest, "both nodes are connected and in sync");
        Cluster.RunFor(3 * Duration.Second);
        Cluster.CheckAtRest();
        return this;
    }

    public Scenario UntilApart(SimNode node) =>
        Until(() => node.Status.All(s => s.Connection < ConnectionState.Connected), $"{node.Name} notices the loss");

    public Scenario UntilConnection(SimNode node, ConnectionState state) =>
        Until(() => node.Status[0].Connection == state, $"{node.Name} is {state}");

    public Scenario Until(Func<bool> condition, string what)
    {
        Cluster.RunUntil(condition, what, Patience);
        return this;
    }

    /// <summary>A command that must succeed.</summary>
    public Scenario Do(SimNode node, AdminCommand command)
    {
        CommandResult result = Try(node, command);
        return result.Succeeded
            ? this
            : throw new SimulationException(
                $"{node.Name} refuses {command}: {result.Code} {result.Message}; {Cluster.Describe()}");
    }

    public CommandResult Try(SimNode node, AdminCommand command)
    {
        CommandResult? answer = null;
        node.Command(command, r => answer = r);
        Until(() => answer is not null, $"{node.Name} answers {command}");
        return answer!.Value;
    }

    private Scenario Request(SimNode node, RequestKind kind, ulong sector, int byteCount, bool forceUnitAccess)
    {
        RequestError? answer = null;
        node.FrontEnd.Submit(kind, 0, sector, byteCount, forceUnitAccess, e => answer = e);
        Until(() => answer is not null, $"{kind} is answered");
        return answer == RequestError.None
            ? this
            : throw new SimulationException($"{kind} of sector {sector} failed: {answer}; {Cluster.Describe()}");
    }

    private static bool IsConnected(SimNode node) => node.Status.All(s => s.Connection == ConnectionState.Connected);

    private static bool IsWhole(SimNode node) => node.Status.All(s => CurrencyTracker.IsWhole(node, s.Volume));
}
