using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>
/// What the original's own tests ask of it, asked of both programs alike: up to three devices, a watchdog that bites.
/// </summary>
public abstract class Behaviour : IDisposable
{
    protected string Folder { get; } = Directory.CreateTempSubdirectory("sbd-behaviour-").FullName;

    public void Dispose()
    {
        Directory.Delete(Folder, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected static string Program(bool original) => original ? Programs.Original : RunningNode.Program;

    private protected static Box Start(
        string program, string[] box, string[] words, IEnumerable<(string Name, string Value)>? variables = null) =>
        new(box, program, words, variables);

    private protected static Box Start(bool original, string[] box, string[] words) =>
        Start(Program(original), box, ["-R", .. words]);

    /// <summary>A node that has won its first vote.</summary>
    private protected static Box Watch(bool original, string[] box, string[] devices, params string[] options)
    {
        var node = Start(original, box, [.. devices, "-n", "node1", .. options, "watch"]);
        if (node.WaitForCommand() != 0)
        {
            node.Dispose();
            Assert.Fail($"the node has not started: {node.Errors}");
        }

        return node;
    }

    protected static string Good(bool original, string[] words)
    {
        using var call = Start(original, [], words);
        Assert.True(call.WaitForEnd() == 0, string.Join(' ', words) + call.Errors);
        return call.Output;
    }

    protected string At(char name) => Path.Combine(Folder, $"{char.ToLowerInvariant(name)}");

    /// <summary>Devices with an allocate time-out of 0, and the words that name them.</summary>
    protected string[] Create(bool original, params string[] names)
    {
        foreach (var name in names)
        {
            File.WriteAllBytes(At(name[0]), new byte[1 << 20]);
        }

        string[] devices = [.. names.SelectMany(name => new[] { "-d", At(name[0]) })];
        Good(original, [.. devices, "-2", "0", "create"]);
        return devices;
    }
}
