using System.Diagnostics;
using BlockRepl.Iscsi.Tests;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>Two nodes whose only disk is behind an iSCSI target with mutual CHAP.</summary>
public sealed class IscsiDaemonTests : IDisposable
{
    private readonly Tgtd _tgtd = new();

    public IscsiDaemonTests() =>
        Assert.Equal(0, Programs.RunOurs("-d", _tgtd.Url, "-2", "0", "create").Code);

    public void Dispose() => _tgtd.Dispose();

    [Fact]
    public void Two_nodes_live_through_restarts_of_the_target_and_one_shoots_the_other()
    {
        // The last proofs of health count until then: a busy machine takes seconds to start the target.
        Assert.Equal(0, Programs.RunOurs("-d", _tgtd.Url, "-1", "20", "-4", "40", "-2", "0", "create").Code);
        using var one = Watch("node1");
        using var two = Watch("node2");
        Assert.Equal(
            "0\tnode1\tclear\t\n1\tnode2\tclear\t\n", Programs.RunOurs("-d", _tgtd.Url, "list").Output);
        foreach (var secondsWithout in new[] { 0, 1 })
        {
            _tgtd.Kill();
            one.WaitForPets(secondsWithout);
            _tgtd.Start();
            one.WaitForPets(8);
            two.WaitForPets(8);
        }

        Assert.Equal(0, Programs.RunOurs("-d", _tgtd.Url, "-n", "node1", "message", "node2", "reset").Code);
        Assert.Equal(129, two.WaitForEnd());
        one.WaitForPets(2);
    }

    [Fact]
    public void A_target_that_hangs_ends_the_node_in_time()
    {
        using var node = Watch("node1");
        node.WaitForPets(2);
        _tgtd.Signal("STOP");
        var stopped = Stopwatch.StartNew();
        Assert.Contains(node.WaitForEnd(), (int[])[137, 129]);
        Assert.InRange(stopped.Elapsed.TotalSeconds, 5, 12);
        _tgtd.Signal("CONT");
    }

    [Fact]
    public void A_target_that_is_gone_too_long_ends_both_nodes_and_they_start_again_when_it_is_back()
    {
        using (Box one = Watch("node1"), two = Watch("node2"))
        {
            _tgtd.Kill();
            var killed = Stopwatch.StartNew();
            foreach (var node in new[] { one, two })
            {
                Assert.Contains(node.WaitForEnd(), (int[])[137, 129]);
                Assert.InRange(killed.Elapsed.TotalSeconds, 5, 12);
            }
        }

        _tgtd.Start();
        using var again = Watch("node1");
        again.WaitForPets(2);
        Assert.Equal(
            "0\tnode1\tclear\t\n1\tnode2\tclear\t\n", Programs.RunOurs("-d", _tgtd.Url, "list").Output);
    }

    [Fact]
    public void No_secret_is_logged_whatever_happens()
    {
        using var log = new LogSocket();
        foreach (var url in new[]
        {
            _tgtd.Url,
            _tgtd.Url.Replace(Tgtd.Secret, "wrong secret", StringComparison.Ordinal),
            _tgtd.Url.Replace(Tgtd.TargetSecret, "other secret", StringComparison.Ordinal),
            $"iscsi://u%bad secret@127.0.0.1:1/{Tgtd.Name}/1",
            "iscsi://u%no secret@/x",
        })
        {
            TryStart(url, log);
        }

        log.WaitFor("no device was usable");
        AssertNoSecret(log.Text);
    }

    private static void AssertNoSecret(string text) => Assert.All(
        [Tgtd.Secret, Tgtd.TargetSecret, "wrong secret", "other secret", "bad secret", "no secret"],
        secret => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));

    private void TryStart(string url, LogSocket log)
    {
        using var node = new Box(
            [], "/usr/bin/unshare",
            [
                "--mount", "sh", "-c",
                "mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 "
                    + "&& ln -s \"$0\" /dev/log && exec \"$@\"",
                log.Path, RunningNode.Program, "-vvv", "-R", "-s", "1", "-n", "node1", "watch",
            ],
            [("SBD_DEVICE", url)]);
        if (node.WaitForCommand() != 0)
        {
            AssertNoSecret(node.Errors + node.Output);
            return;
        }

        node.WaitForPets(2);
        _tgtd.Kill();
        log.WaitFor("is not watched any more");
        _tgtd.Start();
    }

    private Box Watch(string name)
    {
        var node = new Box([], RunningNode.Program, ["-R", "-n", name, "watch"], [("SBD_DEVICE", _tgtd.Url)]);
        Assert.Equal(0, node.WaitForCommand());
        return node;
    }
}
