using BlockRepl.Nodes;
using Xunit;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace BlockRepl.EndToEnd.Tests;

/// <summary>What a test cannot do without: if it is missing the test is skipped and says why.</summary>
internal static class Need
{
    public static void Program(string name, string package)
    {
        if (Tool.Find(name) is null)
        {
            Assert.Skip($"needs {name} (Debian package {package})");
        }
    }

    public static void Root(string why)
    {
        if (Environment.UserName != "root")
        {
            Assert.Skip("needs root: " + why);
        }
    }
}
