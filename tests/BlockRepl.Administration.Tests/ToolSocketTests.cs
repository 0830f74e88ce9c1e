using System.Net.Sockets;
using System.Text;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>The control socket's message for command lines, and clients that send anything or take nothing.</summary>
public sealed class ToolSocketTests
{
    [Theory]
    [InlineData("{}")]
    [InlineData("{\"program\":null}")]
    [InlineData("{\"program\":\"drbdadm\",\"arguments\":null}")]
    [InlineData("{\"program\":\"drbdadm\",\"arguments\":[null]}")]
    [InlineData("{\"program\":\"drbdadm\",\"arguments\":\"role\"}")]
    [InlineData("{\"program\":\"drbdadm\",\"arguments\":[[\"role\"]]}")]
    [InlineData("{\"program\":\"drbdadm\",\"directory\":null}")]
    [InlineData("{\"program\":\"drbdadm\",\"environment\":null}")]
    [InlineData("{\"program\":\"drbdadm\",\"environment\":{\"BLOCKREPL_NODE\":null}}")]
    [InlineData("{\"program\":\"drbdadm\",\"columns\":-99999999999}")]
    [InlineData("{\"program\":\"drbdadm\",\"surprise\":1}")]
    public async Task Words_that_are_none_are_refused_and_the_next_request_works(string run)
    {
        await using TestNode node = await TestNode.StartAsync();
        using Socket client = node.Connect();
        Send(client, "{\"command\":\"run\",\"run\":" + run + "}\n{\"command\":\"status\"}\n");
        Assert.StartsWith(
            "{\"exitCode\":1,\"messages\":[\"The request is not understood", TestNode.ReceiveLine(client));
        Assert.StartsWith("{\"exitCode\":0,", TestNode.ReceiveLine(client));
    }

    [Fact]
    public async Task Command_lines_of_random_words_are_all_answered()
    {
        string[] words =
        [
            "drbdadm", "up", "adjust", "role", "events2", "--now", "status", "sh-status", "all", "r0", "r0/0", "r1/9",
            "minor-0", "0", "/dev/drbd0", "--", "-", "-d", "-v", "-c", "-S", "--force", "--x=y", "", "\u0000", "\u00ff",
            "-W", "--wfc-timeout=1", "help", "dump", "sh-dev", "show", "create-md", "new-minor", "/", "..", "%s%n",
            "down", "sh-udev", "connect", "net-options", new string('x', 3000),
        ];
        await using TestNode node = await TestNode.StartAsync();
        for (int seed = 0; seed < 400; seed++)
        {
            var random = new Random(seed);
            string[] programs = ["drbdadm", "drbdsetup", "drbdmeta", "rm"];
            string[] arguments =
                [.. Enumerable.Range(0, random.Next(0, 6)).Select(_ => words[random.Next(words.Length)])];
            if (arguments.Any(word => word.StartsWith("events", StringComparison.Ordinal)))
            {
                arguments = [.. arguments, "--now"]; // else it goes on
            }

            using Socket client = node.Connect();
            Send(client, Request(programs[random.Next(programs.Length)], arguments));
            Assert.True(ReadToEnd(client), $"seed {seed}: {string.Join(' ', arguments)}");
        }

        Assert.Equal(0, (await node.ToolAsync("drbdadm", "--version")).Exit);
    }

    [Fact]
    public async Task Watchers_that_take_nothing_cost_nobody_anything()
    {
        await using TestNode node = await ToolTests.UpAsync();
        var watchers = new List<Socket>();
        for (int i = 0; i < 20; i++)
        {
            Socket watcher = node.Connect();
            watchers.Add(watcher);
            Send(watcher, Request("drbdsetup", ["events2", "--statistics"]));
            Assert.StartsWith("o ", TestNode.ReceiveLine(watcher));
        }

        long before = GC.GetTotalMemory(forceFullCollection: true);
        for (int i = 0; i < 20_000; i++)
        {
            int round = i;
            node.Resources.All["r0"].Change(status => status with { SuspendedByUser = round % 2 == 0 });
            node.Events.Handler(new("r0", 0, Core.HandlerKind.OutOfSync, ExitCode: null));
        }

        Assert.Equal(0, (await node.ToolAsync("drbdadm", "role", "r0")).Exit);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 64 << 20);
        watchers.ForEach(watcher => watcher.Dispose());
        Assert.Equal(0, (await node.ToolAsync("drbdadm", "role", "r0")).Exit);
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_of_a_wait_gives_its_place_back()
    {
        await using TestNode node = await ToolTests.UpAsync();
        for (int i = 0; i < 3 * Control.ControlLimits.Clients; i++)
        {
            using Socket client = node.Connect();
            Send(client, Request("drbdsetup", ["wait-connect", "0", "--wfc-timeout=0"]));
        }

        Assert.Equal(0, (await node.ToolAsync("drbdadm", "role", "r0")).Exit);
    }

    private static string Request(string program, IEnumerable<string> arguments) =>
        "{\"command\":\"run\",\"run\":{\"program\":\"" + program + "\",\"arguments\":["
        + string.Join(',', arguments.Select(word => $"\"{System.Text.Json.JsonEncodedText.Encode(word)}\"")) + "]}}\n";

    private static void Send(Socket client, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        for (int sent = 0; sent < bytes.Length;)
        {
            sent += client.Send(bytes, sent, bytes.Length - sent, SocketFlags.None);
        }
    }

    /// <summary>Whether the answer ends as one should: with an exit code, or that another is to do it.</summary>
    private static bool ReadToEnd(Socket client)
    {
        while (true)
        {
            string head = TestNode.ReceiveLine(client);
            if (head.Length == 0 || head[0] is not ('o' or 'e'))
            {
                return head.Length > 2 && head[0] is 'x' or 'l';
            }

            byte[] bytes = new byte[int.Parse(head[2..], System.Globalization.CultureInfo.InvariantCulture)];
            for (int got = 0; got < bytes.Length;)
            {
                got += client.Receive(bytes, got, bytes.Length - got, SocketFlags.None);
            }
        }
    }
}
