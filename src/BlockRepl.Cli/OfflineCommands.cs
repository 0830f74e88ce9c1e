using System.CommandLine;
using BlockRepl.Administration;

namespace BlockRepl.Cli;

/// <summary>Commands that work on a disk which no daemon uses.</summary>
internal static class OfflineCommands
{
    public static void AddTo(RootCommand root, NodeOptions node, Terminal terminal)
    {
    }

    public static int Invalidate(NodeLocation location, string target, Terminal terminal) => throw new NotImplementedException();

    public static int Outdate(NodeLocation location, string target, Terminal terminal) => throw new NotImplementedException();

    public static int DiskStateOf(NodeLocation location, string target, Terminal terminal) => throw new NotImplementedException();

    public static int GetGi(NodeLocation location, string target, Terminal terminal) => throw new NotImplementedException();
}
