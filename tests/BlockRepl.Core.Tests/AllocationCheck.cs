using Xunit;

namespace BlockRepl.Core.Tests;

/// <summary>Asserts that an action allocates nothing on this thread once it has run a first time.</summary>
internal static class AllocationCheck
{
    public static void AssertNone(Action action)
    {
        action();
        long before = GC.GetAllocatedBytesForCurrentThread();
        action();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
