using System.Net.Sockets;
using System.Text;
using BlockRepl.Administration.Control;
using BlockRepl.Daemon.Hosting;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>The control socket against clients that send anything.</summary>
public sealed class ControlSocketTests
{
    [Fact]
    public async Task The_socket_is_for_its_owner_only()
    {
        await using TestNode node = await TestNode.StartAsync();
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(node.Location.ControlSocketPath));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[1,2]")]
    [InlineData("{\"command\":null}")]
    [InlineData("{\"target\":\"r0\"}")]
    [InlineData("{\"command\":\"up\",\"target\":null}")]
    [InlineData("{\"command\":\"up\",\"surprise\":1}")]
    [InlineData("{\"command\":\"up\",\"force\":\"yes\"}")]
    [InlineData("{\"command\":\"up\",\"target\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}")]
    [InlineData("{\"command\":\"verify\",\"startSector\":-1}")]
    [InlineData("{\"command\":\"rm -rf\"}")]
    [InlineData("\u00ff\u00fe\u0000")]
    public async Task A_line_that_is_no_request_is_answered_and_the_next_one_works(string line)
    {
        await using TestNode node = await TestNode.StartAsync();
        using Socket client = node.Connect();
        client.Send(Encoding.Latin1.GetBytes(line + "\n{\"command\":\"status\"}\n"));
        Assert.StartsWith("{\"exitCode\":1,\"messages\":[\"", TestNode.ReceiveLine(client));
        Assert.StartsWith("{\"exitCode\":0,", TestNode.ReceiveLine(client));
    }

    [Fact]
    public async Task A_line_without_end_is_cut_off_at_the_bound()
    {
        await using TestNode node = await TestNode.StartAsync();
        using Socket client = node.Connect();
        client.SendTimeout = 10_000;
        byte[] block = Encoding.ASCII.GetBytes(new string('x', 4096));
        Assert.ThrowsAny<SocketException>(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                client.Send(block);
            }
        });
        Assert.Equal(0, (await node.RunAsync("status")).Exit);
    }

    [Fact]
    public async Task Random_bytes_from_many_clients_leave_the_daemon_answering()
    {
        await using TestNode node = await TestNode.StartAsync();
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            using Socket client = node.Connect();
            byte[] bytes = new byte[random.Next(1, 3000)];
            random.NextBytes(bytes);
            for (int sent = 0; sent < bytes.Length;)
            {
                int count = Math.Min(random.Next(1, 500), bytes.Length - sent);
                client.Send(bytes, sent, count, SocketFlags.None);
                sent += count;
            }
        }

        Assert.Equal(0, (await node.RunAsync("status")).Exit);
    }

    [Fact]
    public async Task A_request_in_single_bytes_is_understood()
    {
        await using TestNode node = await TestNode.StartAsync();
        using Socket client = node.Connect();
        foreach (byte b in "{\"command\":\"status\",\"target\":\"all\"}\n"u8.ToArray())
        {
            client.Send([b]);
        }

        Assert.StartsWith("{\"exitCode\":0,", TestNode.ReceiveLine(client));
    }

    [Fact]
    public async Task Two_daemons_cannot_share_a_run_directory()
    {
        await using TestNode node = await TestNode.StartAsync();
        using (RunDirectoryLock.Take(node.Location))
        {
            StartupException error = Assert.Throws<StartupException>(() => RunDirectoryLock.Take(node.Location));
            Assert.Contains("is in use by another blockrepld", error.Message);
        }

        RunDirectoryLock.Take(node.Location).Dispose();
    }

    [Fact]
    public async Task A_successor_waits_for_the_run_directory_of_the_daemon_that_ends()
    {
        await using TestNode node = await TestNode.StartAsync();
        Task<RunDirectoryLock> successor;
        using (RunDirectoryLock.Take(node.Location))
        {
            successor = Task.Run(
                () => RunDirectoryLock.Take(node.Location, TimeSpan.FromSeconds(60)),
                TestContext.Current.CancellationToken);
            Task moment = Task.Delay(20, TestContext.Current.CancellationToken);
            Assert.Same(moment, await Task.WhenAny(successor, moment));
        }

        (await successor).Dispose();
    }

    [Fact]
    public void A_run_directory_too_long_for_a_socket_is_refused_before_anything_is_made()
    {
        var location = new NodeLocation { ConfigPath = "c", Node = "a", RunDirectory = "/tmp/" + new string('x', 120) };
        Assert.Contains(
            "no socket can have", Assert.Throws<StartupException>(() => RunDirectoryLock.Take(location)).Message);
        Assert.False(Directory.Exists(location.RunDirectory));
    }
}
