//! What a call is: states, plan, policy, cause
