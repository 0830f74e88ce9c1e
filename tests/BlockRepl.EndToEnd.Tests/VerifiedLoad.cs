using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>
/// fio, again and again until told to stop: writes a file at random places and reads all of it again. An error, or a
/// byte that is not what was written, makes it fail.
/// </summary>
internal sealed class VerifiedLoad
{
    private const int SecondsOfOneRun = 300;
    private const long EnoughKiB = 1024;

    private readonly Task<ToolResult> _runs;
    private volatile bool _stop;

    public VerifiedLoad(string folder) => _runs = Task.Run(() =>
    {
        ToolResult result;
        do
        {
            result = Tool.Run(
                "fio", SecondsOfOneRun,
                [
                    "--name=load", "--directory=" + folder, "--size=8M", "--bs=4k", "--iodepth=16",
                    "--ioengine=libaio", "--direct=1", "--rw=randwrite", "--rate_iops=0,1000,0", "--randrepeat=0",
                    "--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0",
                ]);
        }
        while (result.Succeeded && !_stop);
        return result;
    });

    /// <summary>Returns when the load is at work.</summary>
    public void WaitForWrites(Node node)
    {
        long before = node.Status().DiskWrittenKiB;
        node.WaitFor(v => v.DiskWrittenKiB > before + EnoughKiB, "load");
        if (_runs.IsCompleted)
        {
            Assert.Fail(_runs.Result.Everything);
        }
    }

    /// <summary>Waits for the end of the present run.</summary>
    public async Task FinishAsync()
    {
        _stop = true;
        (await _runs).OrThrow();
    }
}
