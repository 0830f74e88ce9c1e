using System.Net;
using System.Net.Sockets;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using BlockRepl.Engine.Tests.Nbd;
using BlockRepl.FrontEnd;
using BlockRepl.FrontEnd.Nbd;
using BlockRepl.Platform.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace BlockRepl.Engine.Tests;

/// <summary>One node of resource r0 with one volume on a file, and an NBD server.</summary>
internal sealed class EngineNode : IVolumeDirectory, IDisposable
{
    public EngineNode(string directory, string name, ResourceOptions resource, IPEndPoint local, IPEndPoint peer)
    {
        DiskPath = Path.Combine(directory, name + ".img");
        SocketPath = Path.Combine(directory, name + ".sock");
        Engine = ResourceEngine.Start(
            new ResourceEngineOptions
            {
                Resource = resource,
                Disks = [new VolumeDisk(0, DiskPath, MetaDataKind.Internal, null, 0)],
                LocalAddress = local,
                PeerAddress = peer,
                Fault = e => Fault = e,
                DiagnosticBuffers = true,
            },
            new RecordingLogger(Log));
        Nbd = NbdServer.Start(new NbdServerOptions { UnixSocketPath = SocketPath }, this, NullLogger.Instance);
    }

    public string DiskPath { get; }

    public string SocketPath { get; }

    public ResourceEngine Engine { get; }

    public NbdServer Nbd { get; }

    public Exception? Fault { get; private set; }

    /// <summary>What the node logged, for messages of failed tests.</summary>
    public List<string> Log { get; } = [];

    /// <summary>Makes a disk image with fresh meta data.</summary>
    public static void CreateDisk(string path, long bytes)
    {
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
        RandomAccess.SetLength(file, bytes);
        var sectors = (ulong)bytes >> 9;
        var disk =
            new BackingDisk(sectors, sectors, MetaDataKind.Internal, 0, 512, CanDiscard: true, DiscardZeroes: true);
        var layout = MetaDataLayout.Compute(disk, 1, 8, out var error);
        Assert.True(layout is not null, $"no layout: {error}");
        foreach (var step in CreateMetaData.Steps(layout, CreateMetaData.NewSuperBlock(layout)))
        {
            if (step.Offset >= 0)
            {
                RandomAccess.Write(file, step.Data.Span, step.Offset);
            }
        }
    }

    public IVolumeDevice? Find(string name) => Engine.Devices.FirstOrDefault(d => d.Name == name);

    public IReadOnlyList<string> ListNames() => [.. Engine.Devices.Select(d => d.Name)];

    public async Task<CommandResult> Execute(AdminCommand command)
    {
        var result = await Engine.ExecuteAsync(command).WaitAsync(TimeSpan.FromSeconds(30));
        return result;
    }

    public async Task Must(AdminCommand command)
    {
        var result = await Execute(command);
        Assert.True(result.Succeeded, $"{command}: {result.Code} {result.Message}\n{LogText()}");
    }

    /// <summary>Waits until the volume's status is as wanted: looks at every change that the engine tells.</summary>
    public async Task<VolumeStatus> WaitFor(Func<VolumeStatus, bool> wanted, string what)
    {
        var found = new TaskCompletionSource<VolumeStatus>(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look(IReadOnlyList<VolumeStatus> status)
        {
            if (wanted(status[0]))
            {
                found.TrySetResult(status[0]);
            }
        }

        Engine.StatusChanged += Look;
        try
        {
            Look(await Engine.GetStatusAsync().WaitAsync(TimeSpan.FromSeconds(30)));
            return await found.Task.WaitAsync(TimeSpan.FromSeconds(60));
        }
        catch (TimeoutException)
        {
            var now = Fault is null
                ? (await Engine.GetStatusAsync().WaitAsync(TimeSpan.FromSeconds(5)))[0].ToString()
                : "";
            Assert.Fail($"did not come: {what}\nfault: {Fault}\nnow: {now}\n{LogText()}");
            throw;
        }
        finally
        {
            Engine.StatusChanged -= Look;
        }
    }

    public string LogText()
    {
        lock (Log)
        {
            return string.Join('\n', Log);
        }
    }

    public void Dispose()
    {
        Nbd.Dispose();
        Engine.Dispose();
    }
}

/// <summary>Two nodes that replicate r0 over loopback.</summary>
internal sealed class TwoNodes : IDisposable
{
    public const long DiskBytes = 40 << 20;

    private readonly string _directory = Directory.CreateTempSubdirectory("brn-two-").FullName;
    private readonly ResourceOptions _resource;
    private readonly IPEndPoint _addressA = FreeAddress();
    private readonly IPEndPoint _addressB = FreeAddress();

    public TwoNodes(NetOptions net)
    {
        _resource = new ResourceOptions
        {
            Name = "r0",
            Volumes = [new VolumeOptions { Number = 0, Minor = 0 }],
            Net = net,
        };
        EngineNode.CreateDisk(Path.Combine(_directory, "a.img"), DiskBytes);
        EngineNode.CreateDisk(Path.Combine(_directory, "b.img"), DiskBytes);
        A = StartA();
        B = new EngineNode(_directory, "b", _resource, _addressB, _addressA);
    }

    public IPEndPoint AddressA => _addressA;

    public EngineNode A { get; private set; }

    public EngineNode B { get; }

    /// <summary>Attached, connected, A Primary, both UpToDate after the first sync.</summary>
    public static async Task<TwoNodes> Synced(NetOptions net)
    {
        var nodes = new TwoNodes(net);
        foreach (var node in new[] { nodes.A, nodes.B })
        {
            var attached = await node.Engine.AttachAsync(0);
            Assert.True(attached.Succeeded, attached.Message);
            await node.Must(new AdminCommand.Connect(DiscardMyData: false, Tentative: false));
        }

        await nodes.A.WaitFor(s => s.Connection == ConnectionState.Connected, "connected");
        await nodes.A.Must(new AdminCommand.SetRole(Primary: true, Force: true));
        await nodes.WaitUpToDate();
        return nodes;
    }

    public async Task WaitUpToDate()
    {
        foreach (var node in new[] { A, B })
        {
            await node.WaitFor(
                s => s.Connection == ConnectionState.Connected
                    && s is { Disk: DiskState.UpToDate, PeerDisk: DiskState.UpToDate },
                "both UpToDate");
        }
    }

    /// <summary>Ends A at once, as a crash would but for its I/O in flight, and starts it anew.</summary>
    public void RestartA()
    {
        A.Dispose();
        A = StartA();
    }

    public NbdTestClient OpenA() => NbdTestClient.Open(A.SocketPath);

    /// <summary>The data areas of both disks, up to the volume's size.</summary>
    public (byte[] A, byte[] B) ReadDisks(long bytes)
    {
        byte[] Read(string path)
        {
            using var device = OfflineDevice.Open(path, readOnly: true);
            var data = new byte[bytes];
            device.Read(0, data);
            return data;
        }

        return (Read(A.DiskPath), Read(B.DiskPath));
    }

    public void Dispose()
    {
        A.Dispose();
        B.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private static IPEndPoint FreeAddress()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return (IPEndPoint)probe.LocalEndpoint;
    }

    private EngineNode StartA() => new(_directory, "a", _resource, _addressA, _addressB);
}
