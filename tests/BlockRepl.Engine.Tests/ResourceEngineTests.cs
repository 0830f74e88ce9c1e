using System.Buffers.Binary;
using System.Net.Sockets;
using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using BlockRepl.Engine.Tests.Nbd;

namespace BlockRepl.Engine.Tests;

public class ResourceEngineTests
{
    private const ushort Read = 0;
    private const ushort Write = 1;
    private const ushort Flush = 3;

    [Theory]
    [InlineData(ReplicationProtocol.A, DigestAlgorithm.None)]
    [InlineData(ReplicationProtocol.B, DigestAlgorithm.Crc32c)]
    [InlineData(ReplicationProtocol.C, DigestAlgorithm.Md5)]
    [InlineData(ReplicationProtocol.C, DigestAlgorithm.Sha1)]
    public async Task What_is_written_on_the_primary_is_on_both_disks(
        ReplicationProtocol protocol, DigestAlgorithm digest)
    {
        using var nodes = await TwoNodes.Synced(new NetOptions { Protocol = protocol, IntegrityAlgorithm = digest });
        var status = (await nodes.A.Engine.GetStatusAsync())[0];
        var size = (long)status.SizeSectors << 9;
        var model = new byte[size];
        var random = new Random(3);
        using (var client = nodes.OpenA())
        {
            for (var i = 0; i < 300; i++)
            {
                var data = new byte[random.Next(1, random.Next(4) == 0 ? 600 : 32) * 4096];
                random.NextBytes(data);
                var offset = random.NextInt64((size - data.Length) / 4096) * 4096;
                data.CopyTo(model, offset);
                client.Send(NbdBytes.Request(Write, (ulong)i, (ulong)offset, (uint)data.Length));
                client.Send(data);
                Assert.Equal(((ulong)i, 0u), client.ReceiveReply());
            }

            client.Send(NbdBytes.Request(Flush, 999, 0, 0));
            Assert.Equal((999UL, 0u), client.ReceiveReply());
            client.Send(NbdBytes.Request(Read, 1000, 0, 8 << 20));
            Assert.Equal((1000UL, 0u), client.ReceiveReply());
            Assert.True(client.Receive(8 << 20).AsSpan().SequenceEqual(model.AsSpan(0, 8 << 20)));
        }

        await nodes.A.WaitFor(s => s.PeerPending == 0 && s.LocalPending == 0, "everything acknowledged");
        await nodes.B.WaitFor(s => s.Unacknowledged == 0, "everything written on the secondary");
        var (a, b) = nodes.ReadDisks(size);
        Assert.True(a.AsSpan().SequenceEqual(model));
        var deadline = Environment.TickCount64 + 20_000;
        for (; !b.AsSpan().SequenceEqual(model); (_, b) = nodes.ReadDisks(size))
        {
            // With A and B no answer tells when the peer has written (B's comes when it has the data in memory): its
            // disk is looked at until it has.
            Assert.True(
                protocol != ReplicationProtocol.C && Environment.TickCount64 < deadline,
                "the secondary's disk differs");
        }
    }

    [Fact]
    public async Task A_secondary_refuses_its_device_and_a_primary_in_use_is_not_demoted()
    {
        using var nodes = await TwoNodes.Synced(new NetOptions());

        var refusal = Assert.ThrowsAny<Exception>(() => NbdTestClient.Open(nodes.B.SocketPath));
        Assert.Contains("blockrepl primary r0", refusal.Message, StringComparison.Ordinal);

        using (nodes.OpenA())
        {
            Assert.Equal(-12, (await nodes.A.Execute(new AdminCommand.SetRole(Primary: false, Force: false))).Code);
        }
    }

    [Fact]
    public async Task After_the_primary_is_gone_the_other_takes_over_and_a_resync_brings_the_first_back()
    {
        using var nodes = await TwoNodes.Synced(new NetOptions { IntegrityAlgorithm = DigestAlgorithm.Md5 });
        WriteBlocks(nodes.A.SocketPath, 1);

        nodes.RestartA();
        await nodes.B.WaitFor(
            s => s.Connection is ConnectionState.WFConnection or ConnectionState.Unconnected, "alone");
        await nodes.B.Must(new AdminCommand.SetRole(Primary: true, Force: false));
        WriteBlocks(nodes.B.SocketPath, 2);
        var attached = await nodes.A.Engine.AttachAsync(0);
        Assert.True(attached.Succeeded, attached.Message + nodes.A.LogText());
        await nodes.A.Must(new AdminCommand.Connect(DiscardMyData: false, Tentative: false));
        await nodes.WaitUpToDate();

        var status = (await nodes.B.Engine.GetStatusAsync())[0];
        var (a, b) = nodes.ReadDisks((long)status.SizeSectors << 9);
        Assert.True(a.AsSpan().SequenceEqual(b));
        Assert.Equal(2, b[0]);
    }

    [Fact]
    public async Task A_disk_that_is_not_there_and_one_that_is_in_use_are_refused_in_words()
    {
        using var nodes = new TwoNodes(new NetOptions());
        Assert.True((await nodes.A.Engine.AttachAsync(0)).Succeeded);

        Assert.Equal(124, (await nodes.A.Engine.AttachAsync(0)).Code);
        File.Delete(nodes.B.DiskPath);
        var missing = await nodes.B.Engine.AttachAsync(0);
        Assert.Equal(104, missing.Code);
        Assert.Contains(nodes.B.DiskPath, missing.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ten_thousand_replicated_writes_allocate_nothing_on_either_loop()
    {
        using var nodes = await TwoNodes.Synced(new NetOptions { IntegrityAlgorithm = DigestAlgorithm.Md5 });
        using var client = nodes.OpenA();
        WriteMany(client, 2000);
        var (loopA, loopB) = (nodes.A.Engine.Devices[0].Loop, nodes.B.Engine.Devices[0].Loop);
        var (beforeA, beforeB) = (LoopAllocations.Of(loopA), LoopAllocations.Of(loopB));

        WriteMany(client, 10_000);

        var (onA, onB) = (LoopAllocations.Of(loopA) - beforeA, LoopAllocations.Of(loopB) - beforeB);
        // Timers and pings may cost something now and then; a request may not.
        Assert.True(onA < 10_000 && onB < 10_000, $"{onA} bytes on the primary's loop, {onB} on the secondary's");
    }

    [Fact]
    public async Task Anything_on_the_replication_port_is_refused_and_the_nodes_connect_nonetheless()
    {
        using var nodes = new TwoNodes(new NetOptions { ConnectIntervalSeconds = 3, PingTimeoutDeciseconds = 5 });
        foreach (var node in new[] { nodes.A, nodes.B })
        {
            Assert.True((await node.Engine.AttachAsync(0)).Succeeded);
            await node.Must(new AdminCommand.Connect(DiscardMyData: false, Tentative: false));
        }

        for (var seed = 1; seed <= 40; seed++)
        {
            var random = new Random(seed);
            try
            {
                using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(nodes.AddressA, TestContext.Current.CancellationToken);
                SendNoise(socket, random);
            }
            catch (SocketException)
            {
                // Refused or reset: both are answers.
            }
        }

        await nodes.A.WaitFor(s => s.Connection == ConnectionState.Connected, "connected in spite of the noise");
        Assert.Null(nodes.A.Fault);
        Assert.Null(nodes.B.Fault);
    }

    [Fact]
    public async Task An_engine_that_ends_under_load_ends_its_clients_and_answers_every_command()
    {
        using var nodes = await TwoNodes.Synced(new NetOptions());
        using var client = nodes.OpenA();
        var sender = new Thread(() =>
        {
            try
            {
                for (var i = 0; ; i++)
                {
                    client.Send(NbdBytes.Request(Write, (ulong)i, (ulong)(i % 100) * 65536, 65536));
                    client.Send(new byte[65536]);
                }
            }
            catch (SocketException)
            {
                // The end of the engine ends the connection.
            }
        });
        sender.Start();
        client.ReceiveReply();

        nodes.A.Engine.Dispose();

        Assert.True(client.ServerCloses());
        sender.Join();
        Assert.False((await nodes.A.Execute(new AdminCommand.Detach(0, Force: false))).Succeeded);
        await Assert.ThrowsAsync<ObjectDisposedException>(nodes.A.Engine.GetStatusAsync);
    }

    [Fact]
    public async Task A_defect_on_the_loop_stops_the_resource_writes_the_flight_recorder_and_answers_who_waits()
    {
        using var nodes = await TwoNodes.Synced(new NetOptions());

        nodes.B.Engine.Devices[0].Loop.Post(() => Invariant.Fail("made for this test"));

        await nodes.A.WaitFor(s => s.Connection != ConnectionState.Connected, "the peer is gone");
        Assert.False((await nodes.B.Execute(new AdminCommand.Detach(0, Force: false))).Succeeded);
        Assert.IsType<InvariantException>(nodes.B.Fault);
        Assert.Contains("made for this test", nodes.B.LogText(), StringComparison.Ordinal);
        Assert.Matches("us CompleteCommand", nodes.B.LogText());
    }

    /// <summary>
    /// Bytes from pure noise to a plausible first packet (header80) with noise behind it, in pieces of any size.
    /// </summary>
    private static void SendNoise(Socket socket, Random random)
    {
        var bytes = new byte[random.Next(1, 3000)];
        random.NextBytes(bytes);
        if (random.Next(3) != 0 && bytes.Length >= 16)
        {
            // Header80: magic 0x83740267, command (initial data, initial meta, features), length.
            ReadOnlySpan<ushort> commands = [0xfff1, 0xfff2, 0xfffe, 0x13];
            BinaryPrimitives.WriteUInt32BigEndian(bytes, 0x83740267);
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), commands[random.Next(commands.Length)]);
            BinaryPrimitives.WriteUInt16BigEndian(
                bytes.AsSpan(6), (ushort)(random.Next(2) == 0 ? 0 : random.Next(100)));
        }

        for (var sent = 0; sent < bytes.Length;)
        {
            sent += socket.Send(bytes, sent, Math.Min(bytes.Length - sent, random.Next(1, 40)), SocketFlags.None);
        }
    }

    private static void WriteMany(NbdTestClient client, int count)
    {
        const int depth = 16;
        var write = NbdBytes.Request(Write, 1, 0, 4096).Concat(new byte[4096]).ToArray();
        for (var sent = 0; sent < count; sent += depth)
        {
            for (var i = 0; i < depth; i++)
            {
                BinaryPrimitives.WriteUInt64BigEndian(write.AsSpan(16), (ulong)((sent + i) % 4000) * 4096);
                client.Send(write);
            }

            for (var i = 0; i < depth; i++)
            {
                Assert.Equal(0u, client.ReceiveReply().Error);
            }
        }
    }

    private static void WriteBlocks(string socket, byte value)
    {
        using var client = NbdTestClient.Open(socket);
        var data = new byte[64 << 10];
        data.AsSpan().Fill(value);
        for (var i = 0; i < 40; i++)
        {
            client.Send(NbdBytes.Request(Write, (ulong)i, (ulong)i * 500 * 1024, (uint)data.Length));
            client.Send(data);
            Assert.Equal(0u, client.ReceiveReply().Error);
        }
    }
}
